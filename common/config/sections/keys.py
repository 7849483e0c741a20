"""The place of more keys."""

from __future__ import annotations

from traptor.common.config.kinds.kinds import OptionalPath
from traptor.common.config.options import option
from traptor.common.config.sections.section import LIVE, Section


class KeysSection(Section):
    """The place of more keys."""

    section = "keys"
    about = "A YAML file with keys, beside or instead of [key:NAME] sections; both are one pool."

    file: OptionalPath = option(
        "", LIVE, "The file; its list `apikeys` is read. A relative path is relative to this file's folder."
    )
