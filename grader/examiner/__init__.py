"""The trusted room: pytest, the checks and the reference. Student code is known here only by the values it sends."""
