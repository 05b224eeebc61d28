"""CPU of signing: microseconds for a DKIM signature, by algorithm, canonical form and size.

python -m tests.bench.dkim_cost [--rounds 300]
"""

from __future__ import annotations

import argparse
import time

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mtad.auth.dkim import BodyForm, Signer, SigningKey
from tests.bench.relay_cost import content_of


def main() -> None:
    """Measure every combination; the best of three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    rounds = parser.parse_args().rounds
    keys = {
        "rsa-2048": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "ed25519": Ed25519PrivateKey.generate(),
    }
    for octets, count in ((4096, rounds), (1_048_576, max(1, rounds // 30))):
        content = content_of(octets)
        for name, private in keys.items():
            for form in BodyForm:
                signer = Signer([SigningKey("a.test", "s1", private)], form)
                costs = []
                for _ in range(3):
                    start = time.process_time()
                    for _ in range(count):
                        signer.sign(content, "a.test")
                    costs.append((time.process_time() - start) / count * 1e6)
                print(f"{name} relaxed/{form.value}: {len(content)} octets: {min(costs):.0f} µs")


if __name__ == "__main__":
    main()
