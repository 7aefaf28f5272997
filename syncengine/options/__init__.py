"""Options: one TOML file and its drop-in folder, validated into frozen values."""
