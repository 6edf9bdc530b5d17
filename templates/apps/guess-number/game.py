"""Guess a number. Play it with `berth attach`; the game goes on when you leave, and begins anew when you have won."""

import random


def play() -> None:
    secret = random.randint(1, 100)
    guesses = 0
    print("I think of a number from 1 to 100.")
    while True:
        text = input("Your guess: ").strip()
        if text == "":
            continue
        if text == "quit":
            raise SystemExit(0)
        if not text.isdigit():
            print("That is no number.")
            continue
        guesses += 1
        if int(text) == secret:
            print(f"Right, after {guesses} guesses!")
            return
        print("Higher." if int(text) < secret else "Lower.")


while True:
    play()
