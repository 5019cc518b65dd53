"""What a file of a skill is, by how it begins and by its name."""

from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from typing import Literal

FileKind = Literal["text", "script", "binary"]

SCRIPT_ENDINGS = (
    ".sh", ".bash", ".zsh", ".fish", ".ksh", ".py", ".pyw", ".pl", ".rb", ".php", ".lua", ".tcl",
    ".awk", ".r", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".tsx", ".ps1", ".psm1", ".bat",
    ".cmd", ".vbs", ".applescript",
)  # fmt: skip
MARKDOWN_ENDINGS = (".md", ".markdown", ".mdx")
_PROGRAMS = (
    b"\x7fELF", b"MZ", b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe", b"\xca\xfe\xba\xbe",
    b"\xca\xfe\xd0\x0d", b"\0asm", b"!<arch>", b"dex\n",
)  # fmt: skip
PROGRAM_STARTS = (b"#!", *_PROGRAMS)
_ARCHIVES = (
    b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"7z\xbc\xaf", b"Rar!",
    b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18",
)  # fmt: skip
_MEDIA = (
    b"\x89PNG", b"\xff\xd8\xff", b"GIF87a", b"GIF89a", b"BM", b"RIFF", b"II*\0", b"MM\0*",
    b"\0\0\1\0", b"8BPS", b"OggS", b"fLaC", b"ID3", b"%PDF-", b"\0\1\0\0", b"OTTO", b"ttcf",
    b"wOFF", b"wOF2", b"SQLite format 3\0", b"PAR1", b"ARROW1", b"\x93NUMPY", b"\x89HDF", b"GGUF",
    b"\xd0\xcf\x11\xe0", b"\xde\x12\x04\x95",
)  # fmt: skip


def kind_of(path: str, raw: bytes) -> FileKind:
    """A binary file is of a known form and no text; a script can be run."""
    if not is_text(raw) and (form_of(raw) or raw.startswith(_MEDIA) or raw[4:8] == b"ftyp"):
        return "binary"
    is_script = raw.startswith(b"#!") or path.lower().endswith(SCRIPT_ENDINGS)
    return "script" if is_script else "text"


def form_of(raw: bytes) -> str:
    """`a program` or `an archive`; empty for anything else."""
    if is_text(raw):
        return ""
    if raw.startswith(_PROGRAMS):
        return "a program"
    return "an archive" if raw.startswith(_ARCHIVES) else ""


def is_text(raw: bytes) -> bool:
    """Whether it is UTF-8 without a NUL."""
    try:
        return "\0" not in raw.decode("utf-8")
    except UnicodeDecodeError:
        return False


def readable(raw: bytes) -> str:
    """What a person or an interpreter gets to read of a file in any encoding."""
    is_wide = raw.startswith((BOM_UTF16_LE, BOM_UTF16_BE))
    return raw.decode("utf-16" if is_wide else "utf-8", "replace").replace("\0", "")
