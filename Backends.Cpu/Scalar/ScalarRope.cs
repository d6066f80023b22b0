namespace Portable.Backends.Cpu;

/// <summary>Rotation of one head in place.</summary>
internal static unsafe class ScalarRope
{
    /// <summary>Rotates the first 2 * half elements by angles[0 … half] (cosines) and angles[half … 2 half] (sines).</summary>
    public static void Run(float* head, float* angles, int half, RopeStyle style)
    {
        for (int j = 0; j < half; j++)
        {
            int first = style == RopeStyle.Halves ? j : 2 * j;
            int second = style == RopeStyle.Halves ? j + half : first + 1;
            float a = head[first], b = head[second], cosine = angles[j], sine = angles[half + j];
            head[first] = (a * cosine) - (b * sine);
            head[second] = (b * cosine) + (a * sine);
        }
    }
}
