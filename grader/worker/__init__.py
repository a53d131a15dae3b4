"""The untrusted room: the process that runs student code. It holds no secret and is told none."""
