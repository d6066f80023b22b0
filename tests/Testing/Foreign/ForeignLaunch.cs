using System.Runtime.InteropServices;

namespace Portable.Testing.Foreign;

/// <summary>One operator that runs: opens its operands by their handles and checks what it did.</summary>
internal sealed class ForeignLaunch(ForeignDevice device, string operation)
{
    private readonly List<int> _written = [];

    internal string Operation => operation;

    internal ForeignTensor Read(TensorView view, string operand) =>
        new(device.Memory.Open(((ForeignBuffer)view.Buffer).Handle, operation, operand), view);

    internal ForeignTensor Write(TensorView view, string operand)
    {
        _written.Add(((ForeignBuffer)view.Buffer).Handle);
        return Read(view, operand);
    }

    internal Memory<byte> Read(ForeignKvCache cache) => device.Memory.Open(cache.Handle, operation, "the KV cache");

    internal Span<Half> Write(ForeignKvCache cache)
    {
        _written.Add(cache.Handle);
        return MemoryMarshal.Cast<byte, Half>(Read(cache).Span);
    }

    /// <summary>An index on the device, which must lie in 0 … limit - 1.</summary>
    internal int Index(ForeignTensor indices, int row, int column, long limit, string what)
    {
        int value = indices.Int(row, column);
        if (value < 0 || value >= limit)
            throw Fault($"{what} {value} at [{row}, {column}] is not inside 0 … {limit - 1}");
        return value;
    }

    internal DeviceException Fault(string problem) => new(device.Info.Id, operation, problem, isDeviceLost: false);

    internal void Run(Action<ForeignLaunch> work)
    {
        bool isAstray = device.Enter(ForeignCall.Execute, operation);
        work(this);
        if (isAstray && _written.Count > 0)
            device.Memory.WriteAstray(_written[0]);
        foreach (int handle in _written)
            device.Memory.CheckGuards(handle, operation);
    }
}
