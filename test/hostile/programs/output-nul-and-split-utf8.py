# tries: to flood with NULs and characters that are cut in the middle of their bytes
# threats: 10
# limits: {"outputBytes": 1000003, "wallMs": 60000}
# ends: output_limit
# repeats: "\u0000\u00e2\u0082\u00ac\u00ff\u00f0\u009f\u0000\r" up to 1000003 bytes
import os

text = b'\x00\xe2\x82\xac\xff\xf0\x9f\x00\r' * 1_000
size, at = 1, 0
while True:
    # Pieces of odd sizes, so that they end anywhere in a character.
    piece = (text + text)[at : at + size]
    at = (at + os.write(1, piece)) % len(text)
    size = size % 4_093 + 7
