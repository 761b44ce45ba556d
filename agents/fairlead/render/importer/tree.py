"""One import, from folder to folder."""

from pathlib import Path

from fairlead.render.importer.confd import import_confd
from fairlead.render.importer.findings import ImportedTree, ImportRefusedError
from fairlead.render.importer.remco import import_remco, is_remco
from fairlead.render.importer.settings import SETTINGS_FILE

README = """# Imported configuration

Made by `fairlead render import` from a tree of {kind}.

    fairlead render check --confdir .      # is it sound?
    fairlead render plan --confdir .       # what would it change on this host?
    fairlead render --confdir .{config}    # keep the files as the keys have them
"""


def import_tree(source: Path, destination: Path) -> ImportedTree:
    """Translate ``source`` and write the result.

    Args:
        source: confd's ``/etc/confd`` or remco's ``/etc/remco`` (or its configuration file).
        destination: a folder that does not exist yet, or is empty.

    Raises:
        ImportRefusedError: there is nothing to import, or something where the result would go.
    """
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise ImportRefusedError(f"{destination} is not empty; name a folder that does not exist yet")
    tree = ImportedTree()
    if is_remco(source):
        kind = "remco"
        import_remco(source, tree)
    elif (source / "conf.d").is_dir():
        kind = "confd"
        import_confd(source, tree)
    else:
        raise ImportRefusedError(
            f"{source} holds neither confd's conf.d nor remco's config; name the folder above them"
        )
    config = f" --config {SETTINGS_FILE}" if SETTINGS_FILE in tree.files else ""
    tree.files["README.md"] = README.format(kind=kind, config=config).encode()
    for name, content in tree.files.items():
        path = destination / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # confd.toml may hold a password.
        path.touch(mode=0o600 if name == SETTINGS_FILE else 0o644)
        path.write_bytes(content)
    (destination / "conf.d").mkdir(exist_ok=True)
    (destination / "templates").mkdir(exist_ok=True)
    return tree
