"""Zips the file FILE into ZIP, as small as Lambda's format allows: python3 scripts/zip.py ZIP FILE."""

import sys
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

zipped, file = sys.argv[1:]
with ZipFile(zipped, "w", ZIP_DEFLATED, compresslevel=9) as archive:
    archive.write(file, Path(file).name)
