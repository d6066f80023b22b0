namespace Portable.Testing.Foreign;

/// <summary>
/// The storage behind the handles. Every allocation starts at a multiple of 512 bytes of the device's own address
/// space and lies between two guard zones. Thread-safe.
/// </summary>
internal sealed class ForeignMemory(string device)
{
    internal const int Alignment = 512;
    private const byte Guard = 0xA5;

    private readonly Lock _lock = new();
    private readonly Dictionary<int, Block> _blocks = [];
    private int _lastHandle;

    /// <summary>What an allocation is charged: its bytes up to the next multiple of 512.</summary>
    internal static long Charged(long bytes) => checked(bytes + Alignment - 1) & -Alignment;

    internal int Allocate(long bytes, string description)
    {
        long charged = Charged(bytes);
        if (charged > Array.MaxLength - (2 * Alignment))
            throw new DeviceOutOfMemoryException(device, description, bytes, Array.MaxLength - (2 * Alignment));
        byte[] storage = GC.AllocateUninitializedArray<byte>((int)charged + (2 * Alignment));
        var block = new Block(storage, (int)bytes, description);
        storage.AsSpan(0, Alignment).Fill(Guard);
        storage.AsSpan(Alignment + (int)bytes).Fill(Guard);
        FillWithPoison(block.Payload);
        lock (_lock)
        {
            _blocks.Add(++_lastHandle, block);
            return _lastHandle;
        }
    }

    internal void Free(int handle)
    {
        lock (_lock)
        {
            if (_blocks.Remove(handle, out Block? block))
                FillWithPoison(block.Payload);
        }
    }

    /// <summary>The storage of a live allocation; throws when it was freed.</summary>
    internal Memory<byte> Open(int handle, string operation, string operand)
    {
        lock (_lock)
        {
            return _blocks.TryGetValue(handle, out Block? block)
                ? block.Storage.AsMemory(Alignment, block.Bytes)
                : throw new DeviceException(device, operation, $"{operand} is memory that was freed before the work ran (use after free)", isDeviceLost: false);
        }
    }

    /// <summary>Throws when something was written outside an allocation.</summary>
    internal void CheckGuards(int handle, string operation)
    {
        Block? block;
        lock (_lock)
            _blocks.TryGetValue(handle, out block);
        if (block is null)
            return;
        bool isIntact = block.Storage.AsSpan(0, Alignment).IndexOfAnyExcept(Guard) < 0
            && block.Storage.AsSpan(Alignment + block.Bytes).IndexOfAnyExcept(Guard) < 0;
        if (!isIntact)
            throw new DeviceException(device, operation, $"wrote outside {block.Description} (out of bounds)", isDeviceLost: false);
    }

    /// <summary>Writes one byte past the end, for the fault of that name.</summary>
    internal void WriteAstray(int handle)
    {
        lock (_lock)
        {
            if (_blocks.TryGetValue(handle, out Block? block))
                block.Storage[Alignment + block.Bytes] ^= 0xFF;
        }
    }

    internal static void FillWithPoison(Span<byte> bytes)
    {
        for (int i = 0; i < bytes.Length; i++)
            bytes[i] = ForeignBackend.Poison[i & 1];
    }

    private sealed record Block(byte[] Storage, int Bytes, string Description)
    {
        internal Span<byte> Payload => Storage.AsSpan(Alignment, Bytes);
    }
}
