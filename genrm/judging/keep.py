"""What a judge's engine keeps of its answers: a cache, a recording, both or neither.

    >>> Keep.of("/tmp/answers.db", None, None).cache
    '/tmp/answers.db'
    >>> Keep.of(None, None, None) is None
    True

The recorder stands outside the cache, so that a recording is complete whatever the cache held.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from genrm.errors import Fault, SpecError

if TYPE_CHECKING:
    from genrm.engines.base import Engine
    from genrm.specs.verdict_format import VerdictFormat


@dataclass(frozen=True, slots=True)
class Keep:
    """The files that keep answers; two judges of one process with the same files share them.

    Attributes:
        cache: of the answer cache.
        cache_limit_mb: megabytes that it may have.
        record: of the recording.
        anew: begin the recording anew.
        reads: name and digest of the format by which free outputs are read.
        format: the format itself; what it cannot read is not cached.
    """

    cache: str | None = None
    cache_limit_mb: float | None = None
    record: str | None = None
    anew: bool = False
    reads: str | None = None
    format: VerdictFormat | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(
        cls,
        cache: str | Path | None,
        cache_limit_mb: float | None,
        record: str | Path | None,
        *,
        format: VerdictFormat | None = None,
    ) -> Keep | None:
        """From the arguments of a judge; None when nothing is kept.

        Raises:
            SpecError: there is a limit and nothing that it limits, or a file is no name.
        """
        for name, file in (("cache", cache), ("record", record)):
            if file is not None and (not isinstance(file, str | Path) or not str(file)):
                raise SpecError(Fault("is no file name", field=name, value=repr(file)))
        if cache_limit_mb is not None and cache is None:
            raise SpecError(Fault("there is no cache to limit", field="cache_limit_mb", fix="add cache=FILE"))
        if cache is None and record is None:
            return None
        files = [None if file is None else str(Path(file).expanduser().absolute()) for file in (cache, record)]
        if files[0] == files[1]:
            raise SpecError(Fault("is the cache as well", field="record", value=str(record), fix="name another file"))
        reads = None if format is None else format.title
        return cls(files[0], cache_limit_mb, files[1], reads=reads, format=format)

    def around(self, model: str, engine: Engine, options: Mapping[str, Any]) -> Engine:
        """An engine that keeps the answers of this one, which has been started.

        Recorded outputs are not cached: they cost nothing, and are found by the sample's id, which no key holds.

        Raises:
            SpecError: a file is not what it should be.
        """
        from genrm.engines.answers.cached import CachedEngine
        from genrm.engines.answers.store import AnswerStore
        from genrm.engines.recorder import RecordingEngine
        from genrm.verdicts.read import read_verdicts

        wrapped, store = engine, None
        replayed = model.partition(":")[2] if model.startswith("replay:") else None
        if replayed and self.record and Path(replayed).expanduser().resolve() == Path(self.record).resolve():
            raise SpecError(Fault("is what is replayed", field="record", value=replayed, fix="name another file"))
        if self.cache is not None and replayed is None:
            store = AnswerStore(self.cache, limit_mb=self.cache_limit_mb)

            def readable(request: Any, completion: Any) -> bool:
                verdicts = read_verdicts(request, completion, format=self.format)
                return all(verdict.error is None for verdict in verdicts.values())

            address = self.address(model, engine)
            wrapped = CachedEngine(engine, store, options=options, address=address, readable=readable)
        if self.record is not None:
            wrapped = recorder = RecordingEngine(wrapped, self.record, anew=self.anew)
            try:
                recorder.open()
            except BaseException:
                if store is not None:
                    store.close()
                raise
        return wrapped

    @staticmethod
    def address(model: str, engine: Engine) -> str | None:
        """The server that answers; None for models in this process, and for a provider's own."""
        if model.startswith(("http:", "https:")):
            return model.partition("#")[0]
        return getattr(engine, "address", None)
