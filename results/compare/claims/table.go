package claims

import "github.com/dlbench/dlbench/results/compare/frameworks"

// table is all claims, in the order of the articles' list.
var table = []struct {
	Claim
	evaluate func(*frameworks.Subject, *Outcome)
}{
	{Claim{"C1", Text{"TensorFlow and PyTorch train equally fast", "TensorFlow 与 PyTorch 训练速度相当"}, Text{
		"Confirmed if their training speeds are shown to differ by less than the minimum effect on every workload; contradicted if one of them is faster on at least one.",
		"若在每个训练负载上都证明两者之差小于最小效应，即为属实；只要在一个负载上其中一方更快，即为不符。"}}, trainEqually},
	{Claim{"C2", Text{"TensorFlow infers slightly faster", "TensorFlow 推理略快"}, Text{
		"Confirmed if TensorFlow is faster at inference on every workload; contradicted if on at least one PyTorch is faster or the two are shown not to differ.",
		"若 TensorFlow 在每个推理负载上都更快，即为属实；只要在一个负载上 PyTorch 更快，或证明两者没有差异，即为不符。"}}, inferFaster},
	{Claim{"C3", Text{"Their memory efficiency is comparable", "两者内存效率相当"}, Text{
		"By the peak of resident memory in timed trials of training: confirmed if shown to differ by less than the minimum effect on every workload; contradicted if one needs less on at least one.",
		"按训练计时试验中的常驻内存峰值：若在每个负载上都证明两者之差小于最小效应，即为属实；只要在一个负载上其中一方占用更少，即为不符。"}}, memoryComparable},
	{Claim{"C4", Text{"TensorFlow is ahead in distributed training", "TensorFlow 分布式训练领先"}, nothing}, missing(Text{
		"dlbench cannot measure it yet: it runs a trial on one device of one machine, and no shipped suite trains on several.",
		"dlbench 目前还不能测量：每次试验只用一台机器的一个设备，自带的套件都不在多个设备上训练。"})},
	{Claim{"C5", Text{"TensorFlow is clearly ahead on mobile", "TensorFlow 移动端明显领先"}, nothing}, missing(Text{
		"dlbench cannot measure it yet: it starts workers on the machine it runs on, and has no entry for a phone.",
		"dlbench 目前还不能测量：工作进程只在本机启动，没有针对手机的后端。"})},
	{Claim{"C6", Text{"A static graph runs faster than eager execution of the same model", "同一模型，静态图比动态图执行更快"}, Text{
		"Each graph or compiled entry is held against the eager entry of its framework. Confirmed if it is faster on every workload; contradicted if on at least one it is slower or shown not to differ.",
		"把每个静态图或编译形式与同一框架的动态图形式相比。若在每个负载上都更快，即为属实；只要在一个负载上更慢，或证明没有差异，即为不符。"}}, graphFaster},
	{Claim{"C7", Text{"tf.function moves between the two without cost in code", "tf.function 切换两种模式无需改代码"}, Text{
		"By lines of adapter code, where both forms did the same proven work: confirmed if tensorflow-function takes at most 5 % more lines than tensorflow; contradicted if it takes more. Lines are counted by file, so what this tells is whether it needs code of its own.",
		"在两种形式都证明计算相同的前提下比较适配代码行数：若 tensorflow-function 比 tensorflow 至多多 5%，即为属实；超过则为不符。行数按文件计，因此能说明的是它是否需要单独的代码。"}}, functionCostsNoCode},
	{Claim{"C8", Text{"Mixed precision saves memory and time", "混合精度节省显存与时间"}, Text{
		"Mixed against f32, same workload and entry: confirmed if each pair takes less time and less peak memory above import; contradicted if at least one takes no less of either.",
		"同一负载、同一后端，混合精度与 f32 相比：若每一对的时间与高出导入后的内存峰值都更少，即为属实；只要有一对在时间或内存上并不更少，即为不符。"}}, mixedSaves},
	{Claim{"C9", Text{"Gradient accumulation saves memory at the same effective batch", "等效批量相同时，梯度累积节省内存"}, Text{
		"Accumulated against plain, same batch per update and same entry: confirmed if each pair takes less peak memory above import; contradicted if at least one takes no less.",
		"同一后端、每次更新的批量相同，累积与不累积相比：若每一对高出导入后的内存峰值都更低，即为属实；只要有一对并不更低，即为不符。"}}, accumulationSaves},
	{Claim{"C10", Text{"Gradient checkpointing trades time for memory", "梯度检查点以时间换内存"}, Text{
		"Checkpointed against plain, same entry: confirmed if each pair takes less peak memory above import and more time; contradicted if at least one takes no less memory, or no more time.",
		"同一后端，使用检查点与不使用相比：若每一对高出导入后的内存峰值都更低而时间都更长，即为属实；只要有一对内存并不更低，或时间并不更长，即为不符。"}}, checkpointingTrades},
	{Claim{"C11", Text{"int8 quantisation shrinks the model and speeds inference at a small loss of accuracy", "int8 量化缩小模型、加速推理，精度损失很小"}, nothing}, missing(Text{
		"dlbench cannot measure it yet: no backend of its catalog computes in int8.", "dlbench 目前还不能测量：目录中没有后端以 int8 计算。"})},
	{Claim{"C12", Text{"Pruning shrinks the model and speeds inference", "剪枝缩小模型并加速推理"}, nothing}, missing(Text{
		"dlbench cannot measure it yet: no workload prunes a model.", "dlbench 目前还不能测量：没有对模型剪枝的负载。"})},
	{Claim{"C13", Text{"A distilled small model comes close to its teacher", "蒸馏得到的小模型接近教师模型"}, nothing}, missing(Text{
		"dlbench cannot measure it yet: no workload trains one model by another.", "dlbench 目前还不能测量：没有以一个模型训练另一个模型的负载。"})},
	{Claim{"C14", Text{"TorchScript runs without Python and no slower", "TorchScript 脱离 Python 运行且不变慢"}, Text{
		"pytorch-jit against pytorch: contradicted if it is slower on at least one workload. It is never confirmed here, because its worker runs in Python: of the two halves of the claim only speed is measured.",
		"pytorch-jit 与 pytorch 相比：只要在一个负载上更慢，即为不符。这里不会判为属实，因为其工作进程本身就在 Python 中运行：两半论断中只测了速度。"}}, scriptNoSlower},
	{Claim{"C15", Text{"DistributedDataParallel is more efficient than DataParallel", "DistributedDataParallel 比 DataParallel 更高效"}, nothing}, missing(Text{
		"dlbench cannot measure it yet: it runs a trial on one device of one machine.", "dlbench 目前还不能测量：每次试验只用一台机器的一个设备。"})},
	{Claim{"C16", Text{"A model exported to ONNX gives the same answers elsewhere", "导出为 ONNX 的模型在别处给出相同结果"}, Text{
		"Models are exported by PyTorch and run by ONNX Runtime. Confirmed if every cell that ran is proven to give the reference's answers within the budget of its precision; contradicted if at least one is wrong.",
		"模型由 PyTorch 导出，在 ONNX Runtime 中运行。若每个运行了的单元都证明结果与参考答案之差在该精度的允差之内，即为属实；只要有一个结果错误，即为不符。"}}, sameAnswers},
	{Claim{"C17", Text{"JAX executes faster", "JAX 执行更快"}, Text{
		"JAX against the best entry of TensorFlow and PyTorch, training and inference: confirmed if it is faster on every workload; contradicted if on at least one it is slower or shown not to differ.",
		"JAX 与 TensorFlow、PyTorch 中最快的形式相比，训练与推理都算：若在每个负载上都更快，即为属实；只要在一个负载上更慢，或证明没有差异，即为不符。"}}, jaxFaster},
	{Claim{"C18", Text{"PyTorch is easier to write and read", "PyTorch 更易编写与阅读"}, Text{
		"By two proxies, lines of adapter code and time to the first result: confirmed if PyTorch needs fewer lines and its first result comes sooner on every workload; contradicted if it needs no fewer lines and its first result comes sooner on none. How well code reads is not measured.",
		"用两个可测的量代替：适配代码行数与得到首个结果的时间。若 PyTorch 行数更少，且在每个负载上都更早得到首个结果，即为属实；若行数不更少，且在任何负载上都不更早，即为不符。代码是否易读无法测量。"}}, easierToWrite},
	{Claim{"C19", Text{"A GPU excels at these workloads", "GPU 擅长这些负载"}, Text{
		"The same entry on a GPU against the CPU: confirmed if it is faster on every workload; contradicted if on at least one it is slower or shown not to differ.",
		"同一后端在 GPU 上与在 CPU 上相比：若在每个负载上都更快，即为属实；只要在一个负载上更慢，或证明没有差异，即为不符。"}}, gpuExcels},
	{Claim{"C20", Text{"Batch normalisation speeds convergence; dropout narrows the train/test gap", "批归一化加快收敛；Dropout 缩小训练与测试的差距"}, nothing}, missing(Text{
		"dlbench cannot measure it yet: no two workloads differ in batch normalisation or dropout alone, and nothing is held back as a test set.",
		"dlbench 目前还不能测量：没有仅在批归一化或 Dropout 上不同的两个负载，也没有留出测试集。"})},
}

// nothing is the rule of what cannot be measured.
var nothing = Text{"Open until it can be measured.", "在能够测量之前，一律待定。"}

// missing leaves a claim open.
func missing(what Text) func(*frameworks.Subject, *Outcome) {
	return func(_ *frameworks.Subject, o *Outcome) { o.Missing = []Text{what} }
}
