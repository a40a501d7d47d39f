"""The compiler: a rubric and a sample become one or more :class:`JudgeRequest`."""
