"""What comes from outside, fed to every reader of it: by Hypothesis in every run, by atheris for hours."""
