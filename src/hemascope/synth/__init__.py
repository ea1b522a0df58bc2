"""Generated smears with known truth; figures measured on them say synthetic."""
