namespace Portable.Backends.Cpu;

/// <summary>The largest values of a row, largest first; of equal ones the lower column first.</summary>
internal static unsafe class ScalarTopK
{
    /// <summary>Fills count (at most length) values and their columns.</summary>
    public static void Run(float* input, int length, int* columns, float* values, int count)
    {
        int kept = 0;
        for (int i = 0; i < length; i++)
            Insert(input[i], i, columns, values, ref kept, count);
    }

    /// <summary>Lets a value enter the sorted best so far, from the end; columns must come in rising order.</summary>
    public static void Insert(float value, int column, int* columns, float* values, ref int kept, int count)
    {
        if (kept == count && !(value > values[kept - 1]))
            return;
        int place = kept < count ? kept++ : count - 1;
        for (; place > 0 && value > values[place - 1]; place--)
        {
            values[place] = values[place - 1];
            columns[place] = columns[place - 1];
        }

        values[place] = value;
        columns[place] = column;
    }
}
