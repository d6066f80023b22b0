namespace Portable.Backends.Cpu;

/// <summary>The largest values of a row, largest first; of equal ones the lower column first.</summary>
internal static unsafe class ScalarTopK
{
    /// <summary>Keeps the best so far sorted in the output; a value enters by insertion from the end.</summary>
    public static void Run(float* input, int length, int* columns, float* values, int count)
    {
        int kept = 0;
        for (int i = 0; i < length; i++)
        {
            float value = input[i];
            if (kept == count && !(value > values[kept - 1]))
                continue;
            int place = kept < count ? kept++ : count - 1;
            for (; place > 0 && value > values[place - 1]; place--)
            {
                values[place] = values[place - 1];
                columns[place] = columns[place - 1];
            }

            values[place] = value;
            columns[place] = i;
        }
    }
}
