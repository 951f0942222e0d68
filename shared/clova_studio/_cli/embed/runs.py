"""One run: what is known already, the plan, the requests, the output. The next run goes on where one was stopped."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from clova_studio._cli._parsing import connect_async, key_settings
from clova_studio._cli._terminal import complain, note, say, say_json
from clova_studio._cli.embed.asking import Asking, run_until_done
from clova_studio._cli.embed.finishing import Parts, is_current, take_over, take_refusals, write_all
from clova_studio._cli.embed.inputs import copy_stdin
from clova_studio._cli.embed.journal import Journal, Keys
from clova_studio._cli.embed.outputs import RefusedRows
from clova_studio._cli.embed.plan import make_plan, rows_of_shard
from clova_studio._cli.embed.progress import Progress
from clova_studio._cli.embed.rows import Row
from clova_studio._cli.embed.work_folder import WorkFolder, keep, part_of, refused_file
from clova_studio._config import BASE_URLS
from clova_studio._errors import ConfigurationError
from clova_studio._rate_limits.settings import patience_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from clova_studio import AsyncClovaStudio, RateLimits
    from clova_studio._cli.embed.inputs import Inputs
    from clova_studio._cli.embed.outputs import Output, Writer
    from clova_studio._cli.embed.plan import Plan, Shard
    from clova_studio._rate_limits.settings import Limit

__all__ = ["Run"]

_LEFT_OUT = 3
_TAKEN = "taken"  # a fact of a journal: that it has what the finished output had


class Run:
    """A run of the command.

    Args:
        arguments: The options of the command.
        inputs: The input.
        form: The form of the output.
        output: The output, that of its shard; None for stdout.
        shard: The part of the texts that is asked for.
        limits: The limits of the account, None if they are not known.
        quotas: The quotas that a plan is counted with.
    """

    def __init__(
        self,
        arguments: argparse.Namespace,
        inputs: Inputs,
        form: Output,
        *,
        output: Path | None,
        shard: Shard,
        limits: RateLimits | None,
        quotas: dict[str, Limit],
    ) -> None:
        self._arguments = arguments
        self._inputs = inputs
        self._form = form
        self._output = output
        self._shard = shard
        self._limits = limits
        self._quotas = quotas
        self._model: str = arguments.model
        self._truncate = arguments.on_too_long == "truncate"
        if output is not None and output.exists() and not output.is_file():
            raise ConfigurationError(f"--output {output} is not a file: name a file, or '-' for stdout")

    def plan(self) -> int:
        """Tell what a run would do, and change nothing."""
        client = connect_async(self._arguments, **({} if key_settings() else {"api_key": "nv-none"}))
        keys = self._keys(client)
        begun = self._output is not None and part_of(self._output).exists()
        with WorkFolder(self._output if begun else None) as folder, WorkFolder(None) as aside:
            self._copy_stdin(aside)
            with self._journal(folder.journal if begun else None) as journal:
                self._know(journal, vectors=begun)
                plan = make_plan(self._inputs, keys, self._shard, journal, None)
                try:
                    self._check_unwanted(journal)
                except ConfigurationError as error:
                    complain(f"warning: {error}")
        if self._arguments.json:
            say_json(plan.facts(self._model, self._quotas))
        else:
            say(plan.report(self._model, self._quotas))
        return 0

    def embed(self) -> int:
        """Embed what has no vector yet, and write the output."""
        client = connect_async(self._arguments, rate_limits=self._limits, max_wait=None)
        keys = self._keys(client)
        with WorkFolder(self._output) as folder:
            # What an earlier run did stays, whatever happens before it is read.
            kept = folder.journal.exists()
            try:
                self._copy_stdin(folder)
                with self._journal(folder.journal) as journal:
                    try:
                        code = self._embed(client, keys, folder, journal)
                    except BaseException as error:
                        kept = self._is_kept(journal)
                        if kept and not isinstance(error, ConfigurationError):
                            self._say_how_to_go_on()
                        raise
                    kept = code == 1 and self._is_kept(journal)
                    if kept:
                        self._say_how_to_go_on()
            finally:
                if not kept:
                    folder.remove()
        return code

    def merge(self) -> int:
        """Join the outputs of all shards."""
        output = self._output
        if output is None:
            raise ConfigurationError("--merge needs a file as --output")
        parts = Parts(output, self._form)
        model, _, host = (parts.label() or self._model).partition("@")
        if model != self._model:
            raise ConfigurationError(f"--merge: the parts are of the model {model!r}: give --model {model}")
        if output.exists() and not self._arguments.replace:
            raise ConfigurationError(f"{output} is there already: --replace makes it anew from the parts")
        keys = Keys(model, host or None)
        with WorkFolder(output) as folder, Journal(None, cut_too=True) as journal:
            try:
                self._copy_stdin(folder)
                if self._form.typed:
                    for row in self._inputs:
                        if isinstance(row, Row):
                            self._form.see(row)

                def write(writer: Writer, refused: RefusedRows) -> int:
                    return parts.write(self._inputs, keys, journal, writer, refused)

                written, left_out = self._write(folder, write)
            finally:
                folder.remove()
        return self._report(f"joined from {parts.of} parts, which can be removed", 0, 0, written, left_out)

    # The steps.

    def _keys(self, client: AsyncClovaStudio) -> Keys:
        address = client.base_url
        return Keys(self._model, None if address in BASE_URLS.values() else urlsplit(address).hostname)

    def _journal(self, path: Path | None) -> Journal:
        return Journal(path, cut_too=self._truncate, too_long_again=self._truncate)

    def _is_kept(self, journal: Journal) -> bool:
        """Return whether there is something that the next run goes on with."""
        try:
            return self._output is not None and not journal.is_empty()
        except (OSError, ConfigurationError):
            return True

    def _copy_stdin(self, folder: WorkFolder) -> None:
        if self._inputs.reads_stdin:
            self._inputs.stdin = folder.path / "stdin"
            copy_stdin(self._inputs.stdin)

    def _know(self, journal: Journal, *, vectors: bool) -> None:
        """Take what an earlier run has finished into the journal."""
        output = self._output
        if output is not None:
            if output.exists() and journal.fact(_TAKEN) is None:
                take_over(output, self._form, journal, vectors=vectors)
                journal.note_fact(_TAKEN, "yes")
            take_refusals(output, journal)
        if self._arguments.retry_refused:
            journal.forget_refusals()

    def _embed(self, client: AsyncClovaStudio, keys: Keys, folder: WorkFolder, journal: Journal) -> int:
        output = self._output
        if output is not None and output.exists() and journal.is_empty() and not self._arguments.retry_refused:
            take_refusals(output, journal)
            found = is_current(self._inputs, keys, self._shard, output, self._form, journal)
            if found is not None:
                return self._report("complete, nothing to ask", 0, 0, *found)
        self._know(journal, vectors=True)
        plan = make_plan(self._inputs, keys, self._shard, journal, self._form)
        if not plan.rows and self._shard.of == 1:
            raise ConfigurationError("the input has no rows")
        self._check_unwanted(journal)
        asking = None
        if plan.to_ask:
            asking = self._ask(client, keys, journal, plan)
            if asking.unanswered:
                if asking.last_error is not None:
                    complain(asking.last_error)
                note(f"{asking.unanswered:,} texts got no answer")
                return 1

        def write(writer: Writer, refused: RefusedRows) -> int:
            return write_all(self._inputs, keys, self._shard, journal, writer, refused)

        written, left_out = self._write(folder, write)
        asked, cut = (0, 0) if asking is None else (asking.embedded, asking.shortened)
        what = f"{asked:,} texts asked for, {plan.done:,} done before{f', {cut:,} shortened' if cut else ''}"
        return self._report(what, asked, cut, written, left_out)

    def _ask(self, client: AsyncClovaStudio, keys: Keys, journal: Journal, plan: Plan) -> Asking:
        def texts() -> Iterator[tuple[bytes, str]]:
            for row, key in rows_of_shard(self._inputs, keys, self._shard):
                if isinstance(row, Row):
                    yield key, row.text

        total = plan.done + plan.to_ask
        quiet = bool(self._arguments.quiet)
        with Progress(total, plan.done, lambda: client.quota(self._model), quiet=quiet) as progress:
            asking = Asking(
                client,
                texts(),
                journal,
                model=self._model,
                concurrency=min(self._arguments.concurrency, plan.to_ask),
                truncate=self._truncate,
                patience=patience_of(self._limits),
                on_text=progress.add,
            )
            run_until_done(asking, client, progress.keep_showing)
        return asking

    def _check_unwanted(self, journal: Journal) -> None:
        """Refuse to drop vectors that were paid for.

        Raises:
            ConfigurationError: The output, or what was done for it, has vectors of texts that the input does not have.
        """
        unwanted = journal.unwanted()
        if unwanted and not self._arguments.replace:
            raise ConfigurationError(
                f"{self._output} (or its .part) has {unwanted:,} vectors of texts that the input does not have, or of "
                "another model or address: give another --output, or --replace to drop them / 입력에 없는 텍스트나 "
                "다른 모델의 벡터가 들어 있습니다. 다른 --output을 지정하거나, 버리려면 --replace를 쓰세요."
            )

    def _write(self, folder: WorkFolder, write: Callable[[Writer, RefusedRows], int]) -> tuple[int, int]:
        """Write the output and the list of rows that it does not have; return how many rows are in each."""
        if self._output is None:
            refused = RefusedRows(None)
            return write(self._form.writer(sys.stdout.buffer), refused), refused.count
        refused = RefusedRows(folder.path / "refused")
        try:
            with (folder.path / "output").open("wb") as file:
                written = write(self._form.writer(file), refused)
        finally:
            refused.close()
        if refused.count:
            keep(folder.path / "refused", refused_file(self._output))
        else:
            refused_file(self._output).unlink(missing_ok=True)
        keep(folder.path / "output", self._output)
        return written, refused.count

    # What is said.

    def _report(self, what: str, asked: int, cut: int, written: int, left_out: int) -> int:
        if self._arguments.json:
            facts = {"rows": written, "asked": asked, "shortened": cut, "left_out": left_out}
            say_json({"output": str(self._output), **facts})
        elif not self._arguments.quiet:
            note(f"{self._output or 'stdout'}: {written:,} rows, {what}", colour="dim")
        if left_out and self._output is not None:
            where = refused_file(self._output)
            note(
                f"{left_out:,} rows were left out: {where} tells which and why / {left_out:,}개 행이 제외되었습니다. "
                f"이유는 {where}에 있습니다."
            )
        return _LEFT_OUT if left_out else 0

    def _say_how_to_go_on(self) -> None:
        if self._output is not None:
            note(
                f"what is done is kept in {part_of(self._output)}: the same command goes on from there / 지금까지의 "
                "결과는 보관되어 있습니다. 같은 명령을 다시 실행하면 이어서 진행합니다."
            )
