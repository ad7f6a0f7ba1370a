#!/usr/bin/env python3
"""Publishes information shares through the client API, so that the log outgrows one tile.

    fill.py SOCKET COUNT
"""

import secrets
import sys

from call import Reflection, connect


def main():
    socket, count = sys.argv[1], int(sys.argv[2])
    reflection = Reflection(connect(socket))
    information = reflection.service("tutti.node.v1.Information")
    for number in range(count):
        receipt = information.Publish(
            idempotency_key=secrets.token_bytes(16),
            visibility=1,
            version={
                "kind": 5,
                "texts": [{"language": "eng", "title": f"Notice {number}", "summary": "Know your contract.", "text": "Keep a copy."}],
                "countries": ["sg"],
                "audience": 2,
                "severity": 1,
                "verification": 2,
            },
        )
    print(f"published {count}; entries now: {receipt.index + 1}")


if __name__ == "__main__":
    main()
