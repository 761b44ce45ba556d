"""Turns trees of confd and remco into resources and templates of ours.

It reads the one tree and writes the other, never in place, and lists with file and line what it could not
translate.  Sources: confd's ``docs/template-resources.md`` and ``docs/configuration-guide.md``, those of its fork,
and remco's ``docs/content``.
"""

from fairlead.render.importer.findings import Finding, ImportedTree, ImportRefusedError
from fairlead.render.importer.settings import settings_from, untranslated
from fairlead.render.importer.tree import import_tree

__all__ = ["Finding", "ImportRefusedError", "ImportedTree", "import_tree", "settings_from", "untranslated"]
