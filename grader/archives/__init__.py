"""Archives that were handed in, read in memory: nothing is written anywhere, and nothing an archive says is believed.

Theory of operation. An archive is a program for whatever unpacks it: it names where files go, what kind they are and
how much memory they take. So none is unpacked here. `read` goes over the entries once and returns the regular files as
bytes, or raises `UnsafeArchiveError` at the first entry that an honest archive would not have:

- A name that is absolute, leads upwards, has a backslash or drive letter, or characters that act or mislead.
- A link, a device, a pipe, a sparse file: anything but a regular file or a folder.
- Two entries that are one file to somebody: the same name, or names that differ in case or in Unicode normalisation
  alone (NFKC, case folded). Which of the two is meant would depend on who unpacks them.
- Entries of a zip that overlap, or whose own header differs from the directory's; what is encrypted; a compression
  other than "stored" and "deflated", which is what every program writes unless it is told otherwise.
- More entries, or more bytes, than `Limits`. Bytes are counted while they come out, in pieces, and never taken from a
  header. More than 100 times the archive's own size is too much as well, above 1 MiB.
- Damage anywhere, and an archive that was cut off: half a submission is not graded as if it were the whole.

What a file is called does not matter: its first bytes decide. What is inside an archive inside is not looked at here.
"""

from __future__ import annotations

from grader.archives.limits import CLASS, FLOOR, RATIO, STUDENT, Limits, UnsafeArchiveError
from grader.archives.reading import Archive, read

__all__ = ["CLASS", "FLOOR", "RATIO", "STUDENT", "Archive", "Limits", "UnsafeArchiveError", "read"]
