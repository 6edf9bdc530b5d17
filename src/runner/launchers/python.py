#!/usr/bin/env python3
"""Starts Berth's launcher for Python, which is the file beside this one.

An interpreter compiles the file that it runs each time, which for the launcher takes as long as half of all that it
loads. What is imported is found compiled where the image has it so.
"""

import sys
import time

began = time.monotonic()
at_start = frozenset(sys.modules)

from berth_python import launch

launch(__file__, at_start, began)
