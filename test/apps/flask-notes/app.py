"""Keeps notes in a file of its volume, since its own folder cannot be written."""

import os
import signal
import sys
from pathlib import Path

from flask import Flask, render_template_string, request
from waitress import serve

NOTES = Path("/data/notes.txt")
PAGE = "<ul>{% for note in notes %}<li>{{ note }}</li>{% endfor %}</ul>"

app = Flask(__name__)


@app.get("/")
def notes():
    lines = NOTES.read_text().splitlines() if NOTES.exists() else []
    return render_template_string(PAGE, notes=lines)


@app.post("/")
def add():
    with NOTES.open("a") as file:
        file.write(request.form["text"] + "\n")
    print("noted", request.form["text"])
    return "", 201


@app.get("/own-folder")
def own_folder():
    try:
        Path("/app/x").write_text("x")
        return "written"
    except OSError as error:
        return os.strerror(error.errno)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
serve(app, host="0.0.0.0", port=int(os.environ["PORT"]), threads=2)
