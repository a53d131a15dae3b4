"""Submissions: what stands in folders and archives, found and read without trusting any of it.

Whose file is whose:

- A path to a file is one student, named by the file without its suffix.
- In a folder that was given, every `.py` or `.ipynb` file is one student, and so is every sub-folder with all such
  files below it; files of one name, such as a module and a notebook, are one student's. An archive there stands for a
  student as well; other files there belong to nobody. That every file is a student also holds when one student's own
  folder is given.
- A sub-folder that holds nothing but folders is a class of its own and is searched in the same way, at any depth.
- An archive is read like the folder it was made of. Where everything in it stands in one folder, that folder is left
  out of the paths, unless it is a package.
- An archive that was given and holds nothing but several folders or archives is a class, as the folder would be.
- Students who would have the same name get as much of the path before it as tells them apart: `group-2/anna`.

An archive is looked into where it is all a student handed in that could be graded. Beside a `.py` or `.ipynb` file that
can be read it is ignored, as data would be; of several archives nobody knows which is meant; an archive inside a
student's archive is never looked into. One that is not safe (`grader.archives`) rejects the submission. A class in one
archive is rejected as a whole, since its names can no longer be trusted; unpacked into a folder, each student stands
alone.

Links are never followed, and what is not a regular file is never opened. Nothing that was handed in is changed, nothing
is unpacked on disk, and no file of it configures anything. What cannot be graded makes one rejected submission; the
others are read all the same. Of a notebook, only its code is kept (`grader.notebooks`); one that cannot be read is
ignored where something else can.
"""

from __future__ import annotations

from grader.submissions.finding import find
from grader.submissions.reading import MAX_DEPTH, MAX_ENTRIES, MAX_FILE, MAX_FILES, MAX_TOTAL
from grader.submissions.single import single

__all__ = ["MAX_DEPTH", "MAX_ENTRIES", "MAX_FILE", "MAX_FILES", "MAX_TOTAL", "find", "single"]
