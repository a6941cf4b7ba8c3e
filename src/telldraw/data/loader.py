"""Batches of whole dialogues. What step n holds depends on the seed and n alone, so training resumes anywhere."""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock

import numpy as np
import torch
from torch import Tensor

from telldraw.batches import Dialogues
from telldraw.data.archive import Dataset, Dialogue
from telldraw.data.packing import can_fill, pack
from telldraw.errors import DataError
from telldraw.text import MAX_WORDS, pad

_SHARE_OF_GPU = 0.4  # of its free memory, that pictures may take for good


def _turns_of(
    dataset: Dataset, dialogues: list[Dialogue], whole: bool
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """The words and the row of every turn, and how many turns each dialogue has; `whole` makes each one turn."""
    starts, stops = (np.array([getattr(d, end) for d in dialogues]) for end in ("start", "stop"))
    if whole:
        words = [np.concatenate([dataset.words(row) for row in range(d.start, d.stop)]) for d in dialogues]
        rows, counts = stops - 1, np.ones(len(dialogues), np.int64)
    else:
        words = [dataset.words(row) for d in dialogues for row in range(d.start, d.stop)]
        rows, counts = np.concatenate([np.arange(d.start, d.stop) for d in dialogues]), stops - starts
    return [each[:MAX_WORDS] for each in words], rows, counts


class Loader:
    """Draws batches from one split of a prepared data set."""

    def __init__(
        self,
        dataset: Dataset,
        split: str,
        batch_size: int,
        *,
        seed: int = 0,
        device: str | torch.device = "cpu",
        shuffle: bool = True,
        prefetch: int | None = None,
        whole_dialogue: bool = False,
        turns: int | None = None,
    ) -> None:
        """`batch_size` counts dialogues; `turns`, for shuffled batches, asks for exactly so many turns instead.

        shuffle: another order each epoch, the incomplete last batch left out, iteration without end. Otherwise the
            stored order once, the last batch possibly smaller.
        prefetch: batches made ready ahead by background threads; 0 makes them on demand. By default 2 for a GPU, and 0
            on a CPU, where a batch takes a thousandth of a training step to make, and each thread's own team of workers
            costs the step its cores (two cores, codraw-64: 46 turns/s without threads, 31 with two).
        whole_dialogue: each dialogue becomes one turn, all its instructions (the first MAX_WORDS words) and the
            last canvas: GeNeVA's non-iterative baseline.
        On a GPU the split is kept in its memory when it takes less than 40 % of what is free.
        Raises DataError when the split is too small for one batch.
        """
        dialogues = dataset.split(split)
        if batch_size < 1:
            raise ValueError(f"batch_size {batch_size}: a batch has at least one dialogue")
        if not dialogues or (shuffle and len(dialogues) < batch_size):
            raise DataError(
                f"the split {split!r} of {dataset.path} has {len(dialogues):,} dialogues, too few for a batch of "
                f"{batch_size}; choose a smaller batch size"
            )
        self.batch_size, self.seed, self.shuffle = batch_size, seed, shuffle
        self.device = torch.device(device)
        self.prefetch = prefetch if prefetch is not None else 2 * (self.device.type != "cpu")
        words, rows, counts = _turns_of(dataset, dialogues, whole_dialogue)
        self._rows, self._counts = rows, counts  # rows of the data set, turns of each dialogue
        self._turns = turns if shuffle else None
        if self._turns is not None and not can_fill(counts, self._turns):
            raise DataError(
                f"no dialogues of the split {split!r} of {dataset.path} have {turns} turns in all; "
                "choose another number"
            )
        self._packed: dict[int, list[np.ndarray]] = {}
        self._packing = Lock()
        self._first = np.cumsum(counts) - counts  # place in _rows of each dialogue's first turn
        self._lengths = np.array([len(w) for w in words])
        self._words = torch.from_numpy(pad(words).astype(np.int32))
        self._background = torch.from_numpy(dataset.background.transpose(2, 0, 1).copy()).to(self.device)
        self._images, self._objects = torch.from_numpy(dataset.images), torch.from_numpy(dataset.objects)
        self._position = torch.from_numpy(dataset.position)
        self.resident = self._fits()
        """Whether the split lies in the memory of the GPU."""
        if self.resident:
            self._move()

    def _fits(self) -> bool:
        if self.device.type != "cuda":
            return False
        free, _ = torch.cuda.mem_get_info(self.device)
        return len(self._rows) * self._images[0].numel() < _SHARE_OF_GPU * free

    def _move(self) -> None:
        """Put the rows of this split, and no others, on the GPU once; from then on they are the whole table."""
        kept = self._images.new_empty((len(self._rows), *self._images.shape[1:]), device=self.device)
        for at in range(0, len(self._rows), 1024):  # in pieces: the host never holds the split as a whole
            kept[at : at + 1024] = self._images[torch.from_numpy(self._rows[at : at + 1024])].to(self.device)
        rows = torch.from_numpy(self._rows)
        self._images = kept
        self._objects, self._position = self._objects[rows].to(self.device), self._position[rows].to(self.device)
        self._words = self._words.to(self.device)
        self._rows = np.arange(len(self._rows))

    def __len__(self) -> int:
        """Count the batches of an epoch."""
        if self._turns is not None:
            return max(1, int(self._counts.sum()) // self._turns)
        whole, rest = divmod(len(self._counts), self.batch_size)
        return whole + (rest > 0 and not self.shuffle)

    def chosen(self, step: int) -> np.ndarray:
        """Say which dialogues of the split, by index, are in the batch of `step`."""
        epoch, place = divmod(step, len(self))
        if self._turns is not None:
            return self._epoch(epoch, self._turns)[place]
        count = len(self._counts)
        order = np.random.default_rng((self.seed, epoch)).permutation(count) if self.shuffle else np.arange(count)
        return order[place * self.batch_size : (place + 1) * self.batch_size]

    def _epoch(self, epoch: int, turns: int) -> list[np.ndarray]:
        """The batches of an epoch, packed once."""
        with self._packing:  # batches are made by more than one thread
            if epoch not in self._packed:
                rng = np.random.default_rng((self.seed, epoch))
                self._packed = {e: p for e, p in self._packed.items() if e == epoch - 1}
                self._packed[epoch] = pack(self._counts, turns, len(self), rng)
            return self._packed[epoch]

    def batch(self, step: int) -> Dialogues:
        """Make the batch of `step`, the same whatever was drawn before."""
        dialogues = self.chosen(step)
        turns = self._counts[dialogues]
        first = self._first[dialogues]
        places = np.concatenate([np.arange(start, start + count) for start, count in zip(first, turns, strict=True)])
        longest = int(self._lengths[places].max())
        place, row = self._index(places), self._index(self._rows[places])
        return Dialogues(
            background=self._background,
            image=self._send(self._images[row]),
            instruction=self._send(self._words[place, :longest]).long(),
            objects=self._send(self._objects[row]).float(),
            position=self._send(self._position[row]),
            turns=self._send(torch.from_numpy(turns)),
        )

    def _index(self, numbers: np.ndarray) -> Tensor:
        index = torch.from_numpy(numbers)
        return self._send(index) if self.resident else index

    def _send(self, rows: Tensor) -> Tensor:
        """To the device, without waiting where the memory allows it."""
        if self.device.type != "cuda" or rows.device.type == "cuda":
            return rows.to(self.device)
        return rows.pin_memory().to(self.device, non_blocking=True)

    def __iter__(self) -> Iterator[Dialogues]:
        """Begin at step 0."""
        return self.iterate()

    def iterate(self, start_step: int = 0) -> Generator[Dialogues, None, None]:
        """Give the batches from `start_step` on, in order: without end when shuffling, else to the end of the epoch."""
        last = None if self.shuffle else len(self)
        if not self.prefetch:
            step = start_step
            while last is None or step < last:
                yield self.batch(step)
                step += 1
            return
        pool = ThreadPoolExecutor(min(self.prefetch, 2), thread_name_prefix="loader")
        waiting: deque[Future[Dialogues]] = deque()
        step = start_step
        try:
            while True:
                while len(waiting) < self.prefetch and (last is None or step < last):
                    waiting.append(pool.submit(self.batch, step))
                    step += 1
                if not waiting:
                    return
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
