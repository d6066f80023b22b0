using System.Runtime.CompilerServices;

namespace Portable.Backends.Cpu;

internal sealed unsafe partial class CpuStream
{
    // Indices come from the caller's memory: each is checked before anything is written, so that no value can reach
    // outside a buffer.
    private static void CheckIndices(int* indices, int count, int limit, string argument, [CallerMemberName] string @operator = "")
    {
        for (int i = 0; i < count; i++)
        {
            if ((uint)indices[i] >= (uint)limit)
                throw new ArgumentOutOfRangeException(argument, $"{@operator[2..]}: index {indices[i]} at {i} is outside 0 … {limit - 1}");
        }
    }

    private static void CheckOffsets(int* offsets, int groups, int rows, string argument, [CallerMemberName] string @operator = "")
    {
        for (int g = 0; g <= groups; g++)
        {
            if (offsets[g] < (g == 0 ? 0 : offsets[g - 1]) || offsets[g] > rows)
                throw new ArgumentOutOfRangeException(argument, $"{@operator[2..]}: offset {offsets[g]} at {g} must not fall and not pass {rows} rows");
        }
    }
}
