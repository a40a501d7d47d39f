"""What can run here: the machine, the packages, the engines, known traps, and a one-row judgment on each engine.

    >>> from genrm.doctor.examine import examine
    >>> report = examine(models=["tiny"], try_engines=False)                                 # doctest: +SKIP
    >>> report.ok, [engine.name for engine in report.engines if engine.ready]                # doctest: +SKIP
    (True, ['tiny', 'hf', 'http', 'replay'])

``genrm doctor`` prints it. Nothing here imports a heavy package: versions are read from what pip has written down, and
judgments run in processes of their own, because a broken package takes its process with it.
"""
