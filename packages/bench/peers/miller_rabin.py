"""Forty rounds of Miller-Rabin, the usual way to check a prime in Python: microseconds a number."""

import json
import random
import sys
import time


def is_probable_prime(n, rounds=40):
    if n in (2, 3):
        return True
    if n < 2 or n % 2 == 0:
        return False
    odd, twos = n - 1, 0
    while odd % 2 == 0:
        odd //= 2
        twos += 1
    for _ in range(rounds):
        x = pow(random.randrange(2, n - 1), odd, n)
        if x in (1, n - 1):
            continue
        for _ in range(twos - 1):
            x = x * x % n
            if x == n - 1:
                break
        else:
            return False
    return True


took = []
for text in json.load(sys.stdin):
    n = int(text)
    began = time.perf_counter()
    is_probable_prime(n)
    took.append((time.perf_counter() - began) * 1e6)
json.dump(took, sys.stdout)
