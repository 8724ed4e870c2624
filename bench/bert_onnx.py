"""
bert_onnx.py -- a BERT directory as ONNX Runtime reads it: `bert_onnx.make(model, directory)` gives the paths of
model.onnx and, with weights quantized and activations quantized as they come, model-int8.onnx. Made once.
"""
import os

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def export(model, path):
    import torch
    import transformers

    class Rows(torch.nn.Module):
        """The rows of the last layer, of inputs in a fixed order."""

        def __init__(self):
            super().__init__()
            self.bert = transformers.AutoModel.from_pretrained(model, attn_implementation="eager").eval()

        def forward(self, ids, mask, types):
            return self.bert(input_ids=ids, attention_mask=mask, token_type_ids=types).last_hidden_state

    given = tuple(torch.ones((2, 8), dtype=torch.int64) for _ in INPUTS)
    axes = {name: {0: "batch", 1: "length"} for name in (*INPUTS, "rows")}
    torch.onnx.export(Rows(), given, path + ".part", input_names=list(INPUTS), output_names=["rows"], dynamic_axes=axes,
                      dynamo=False)
    os.replace(path + ".part", path)


def make(model, directory):
    plain, small = (os.path.join(directory, name) for name in ("model.onnx", "model-int8.onnx"))
    os.makedirs(directory, exist_ok=True)
    if not os.path.exists(plain):
        export(model, plain)
    if not os.path.exists(small):
        import onnxruntime.quantization
        onnxruntime.quantization.quantize_dynamic(plain, small + ".part", per_channel=True)
        os.replace(small + ".part", small)
    return plain, small
