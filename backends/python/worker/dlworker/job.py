"""The job (PROTOCOL.md, section 3): read strictly, checked, and made handy."""

from types import SimpleNamespace

from .errors import Failed, Unsupported

LEAF = object()


def _leaves(names):
    return dict.fromkeys(names.split(), LEAF)


# Every key of the job that this worker knows, and the form below it.
_ATTR = _leaves("units filters kernel stride pad size bias vocab heads causal epsilon momentum rate beta1 beta2 reduction")
_OP = {**_leaves("op name in shape"), "attr": _ATTR}
_JOB = {
    "program": {
        **_leaves("schema name hash mode batch accumulate"),
        "input": _leaves("kind shape vocab"),
        "data": _leaves("generator classes batches seed"),
        "ops": _OP, "loss": _OP, "optimizer": _OP,
        "params": _leaves("name shape buffer center bound"),
        "segments": _leaves("first last"),
        "work": _leaves("examples model_flops param_bytes activation_bytes"),
    },
    "settings": _leaves("mode precision device data batch accumulate threads checkpoint allocator"),
    **_leaves("weights batches for"),
}


def _strict(value, form, path):
    """Refuse every key that _JOB does not list."""
    if form is LEAF:
        return
    if isinstance(value, list):
        for item in value:
            _strict(item, form, path)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key not in form:
                raise Unsupported("unknown key %s.%s" % (path, key))
            _strict(item, form[key], path + "." + key)


class Op:
    """One op: its kind, the ops it reads, its output's shape for one example,
    and its attributes, of which absent ones are 0, False or ""."""

    def __init__(self, raw, number):
        self.kind, self.name, self.number = raw["op"], raw.get("name") or "", number
        self.inputs, self.shape = raw.get("in") or [], raw.get("shape") or []
        attr = raw.get("attr") or {}
        self.units, self.filters, self.kernel = attr.get("units") or 0, attr.get("filters") or 0, attr.get("kernel") or 0
        self.stride, self.pad, self.size = attr.get("stride") or 0, attr.get("pad") or 0, attr.get("size") or 0
        self.vocab, self.heads = attr.get("vocab") or 0, attr.get("heads") or 0
        self.bias, self.causal = bool(attr.get("bias")), bool(attr.get("causal"))
        self.epsilon, self.momentum = attr.get("epsilon") or 0.0, attr.get("momentum") or 0.0
        self.rate, self.beta1, self.beta2 = attr.get("rate") or 0.0, attr.get("beta1") or 0.0, attr.get("beta2") or 0.0
        self.reduction = attr.get("reduction") or ""

    def __str__(self):
        return ("%s %s" % (self.kind, self.name)).strip()


class Job:
    """A build request. Attributes:

    training, purpose ("time", "check", "memory"), batch, accumulate, classes
    input: kind, shape (of one example, channels first), vocab
    batches: how many the file holds; ops, loss, optimizer (None in inference)
    params: name, shape, buffer; segments: pairs (first, last)
    precision, device, placement ("resident", "host", "loader"), threads
    weights_path, batches_path
    raw: the job as it came
    in_shape(op): shape of an op's first input, for one example
    """

    def __init__(self, raw, claims):
        if not isinstance(raw, dict):
            raise Failed("build has no job")
        _strict(raw, _JOB, "job")
        try:
            self._read(raw)
        except (KeyError, TypeError, AttributeError) as e:
            raise Failed("job cannot be read: %s %s" % (type(e).__name__, e)) from e
        self._validate(raw)
        self._claimed(claims, raw["settings"])

    def _read(self, raw):
        self.raw = raw
        program, settings = raw["program"], raw["settings"]
        self.mode, self.purpose = program["mode"], raw["for"]
        self.training = self.mode == "train"
        self.batch, self.accumulate = program["batch"], program["accumulate"]
        self.input = SimpleNamespace(kind=program["input"]["kind"], shape=program["input"]["shape"],
                                     vocab=program["input"].get("vocab") or 0)
        self.batches, self.classes = program["data"]["batches"], program["data"].get("classes") or 0
        self.ops = [Op(op, i) for i, op in enumerate(program["ops"])]
        self.loss = Op(program["loss"], -1)
        self.optimizer = Op(program["optimizer"], -1) if self.training else None
        self.params = [SimpleNamespace(name=p["name"], shape=p["shape"], buffer=bool(p.get("buffer")))
                       for p in program.get("params") or []]
        self.segments = [(s.get("first") or 0, s.get("last") or 0) for s in program.get("segments") or []]
        self.precision, self.device, self.placement = settings["precision"], settings["device"], settings["data"]
        self.threads, self.checkpoint = settings["threads"], settings.get("checkpoint") or 0
        self.weights_path, self.batches_path = raw["weights"], raw["batches"]
        self.hash = program.get("hash") or ""

    def _validate(self, raw):
        program, settings = raw["program"], raw["settings"]
        for what, value, known in (
                ("for", self.purpose, ("time", "check", "memory")), ("mode", self.mode, ("train", "infer")),
                ("schema", program.get("schema"), (1,)), ("input", self.input.kind, ("image", "vector", "sequence", "tokens")),
                ("reduction", self.loss.reduction, ("mean",)), ("device", self.device, ("cpu", "cuda")),
                ("data", self.placement, ("resident", "host", "loader")), ("allocator", settings.get("allocator") or "", ("", "tuned", "returning"))):
            if value not in known:
                raise Unsupported("%s %r, known are %s" % (what, value, ", ".join(map(str, known))))
        for key in ("mode", "batch", "accumulate"):
            if program[key] != settings.get(key):
                raise Failed("program has %s %r and settings %r" % (key, program[key], settings.get(key)))
        if not self.weights_path or not self.batches_path:
            raise Failed("job names no file of weights or no file of batches")
        if not self.ops or self.batches < 1:
            raise Failed("program has no ops or no batches")
        if self.batch < 1 or self.accumulate < 1 or self.batch % self.accumulate:
            raise Failed("batch %d is not a multiple of accumulate %d, both at least 1" % (self.batch, self.accumulate))
        if not self.training and (self.accumulate != 1 or self.checkpoint or self.segments):
            raise Failed("an inference program has no gradients: accumulate must be 1, without checkpoints or segments")
        for op in self.ops:
            if any(not -1 <= i < op.number for i in op.inputs):
                raise Failed("op %d (%s) reads an op that is not earlier" % (op.number, op))
            if op.kind == "batchnorm" and self.training and self.batch == self.accumulate and (
                    len(op.shape) < 3 or op.shape[1] * op.shape[2] == 1):
                raise Failed("op %d (%s) sees one value per channel: it has no unbiased variance" % (op.number, op))

    def _claimed(self, claims, settings):
        """hello binds: refuse what it did not list."""
        if self.training and not {"sgd", "adam"}.intersection(claims["ops"]):
            raise Unsupported("training: this worker infers only")
        need = self.ops + [self.loss] + ([self.optimizer] if self.training else [])
        for op in need:
            if op.kind not in claims["ops"]:
                raise Unsupported("op %s" % op)
        if self.precision in (("bf16", "f16", "int8") if self.training else ("bf16-mixed", "f16-mixed")):
            raise Unsupported("precision %s in mode %s" % (self.precision, self.mode))
        if self.precision not in claims["precisions"]:
            raise Unsupported("precision %s, known are %s" % (self.precision, ", ".join(claims["precisions"])))
        if self.placement == "loader" and "loader" not in claims["features"]:
            raise Unsupported("data loader: this worker has no input pipeline of its own")
        if self.checkpoint and "checkpoint" not in claims["features"]:
            raise Unsupported("checkpointing")
        if self.accumulate > 1 and "accumulate" not in claims["features"]:
            raise Unsupported("accumulation")

    def in_shape(self, op, which=0):
        """The shape of an op's input for one example, channels first."""
        i = op.inputs[which]
        return self.input.shape if i < 0 else self.ops[i].shape

    def rate(self, op):
        """The rate of a dropout: a build for "check" drops nothing."""
        return 0.0 if self.purpose == "check" else op.rate
