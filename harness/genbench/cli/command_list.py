"""The commands, in the order in which help lists them."""

COMMANDS = {
    "run": "Train, score and rank models: the main job.",
    "tune": "Search for the best options of models, on validation images.",
    "evaluate": "Score and rank images made elsewhere.",
    "list": "List models, metrics, datasets, suites.",
    "show": "Show what a name stands for: options, presets, abilities.",
    "status": "Show what is planned, running, done or damaged in a folder of results.",
    "leaderboard": "Print the ranked tables of stored results, or export them.",
    "report": "Write results as one page that opens anywhere.",
    "compare": "Compare two models, or two results folders: differences and how sure they are.",
    "verify": "Check stored numbers: score, draw and train again; hold a table to its trials.",
    "slim": "Copy stored results without samples and weights: the same tables.",
    "figures": "Draw stored trials: samples, walks in z, learning curves.",
    "response": "Show what a metric sees of known damage to real images.",
    "study": "Ask people which images are real: make the page of a user study, score its answers.",
    "data": "Prepare, verify or locate datasets.",
    "plugins": "List installed plugins, the broken ones with their reason.",
    "check": "Check a plugin of yours against what the harness relies on.",
    "new": "Make the project of a new plugin, with its tests.",
    "doctor": "Check the installation and its folders.",
}
"""Each command with its summary, so that help loads none of the modules `genbench.cli.<command>_command`."""

FORMER = {"calibrate": "response"}
"""Former names of commands, which still work."""
