"""Options: one TOML file and its drop-in folder, validated into frozen values.

Files are the truth of options: what is read is either wholly valid or refused with file, line and key.
"""
