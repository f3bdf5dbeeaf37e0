"""Walks of all names in Python. walk.py old|scandir ROOT START END EXTENSION,...

old: as the scripts did it that these nodes replace: os.walk, a regular expression and a date for each name.
scandir: the least that such a search has to do in Python.
"""
import os
import re
import sys
from datetime import datetime

how, root, start, end, extensions = sys.argv[1:6]
NAME = re.compile(r'^[A-Za-z]+-([^-]*)-([^-]*)-(\d{8})-(\d{6})-.*\.(?:wav|mp3|gsm)$', re.IGNORECASE)
wanted = set(extensions.split(','))


def old():
    first = datetime.strptime(start, '%Y-%m-%dT%H:%M:%S')
    last = datetime.strptime(end, '%Y-%m-%dT%H:%M:%S')
    for folder, _, files in os.walk(root):
        for name in files:
            match = NAME.match(name)
            if not match:
                continue
            day, time = match.group(3), match.group(4)
            at = datetime(int(day[:4]), int(day[4:6]), int(day[6:]), int(time[:2]), int(time[2:4]), int(time[4:]))
            if not first <= at <= last:
                continue
            if match.group(1) in wanted or match.group(2) in wanted:
                yield os.path.join(folder, name)


def scandir():
    first = re.sub(r'\D', '', start)
    last = re.sub(r'\D', '', end)
    sides = re.compile(r'^[A-Za-z]+-(?:(?:%s)-[^-]*|[^-]*-(?:%s))-(\d{8})-(\d{6})-' % ((extensions.replace(',', '|'),) * 2))
    folders = [root]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                match = sides.match(entry.name)
                if match:
                    if first <= match.group(1) + match.group(2) <= last:
                        yield entry.path
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)


for path in (old if how == 'old' else scandir)():
    print(path)
