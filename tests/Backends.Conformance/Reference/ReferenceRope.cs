namespace Portable.Conformance;

/// <summary>Rotary embedding in double precision, by the complex form: each pair times exp(i angle).</summary>
internal static class ReferenceRope
{
    public static void Rotate(Expected expected, int row, ReadOnlySpan<double> heads, int headSize, ReadOnlySpan<double> angles, RopeStyle style)
    {
        int half = angles.Length / 2;
        for (int c = 0; c < heads.Length; c++)
        {
            int place = c % headSize, start = c - place;
            if (place >= 2 * half)
            {
                expected.Set(row, c, heads[c], 0);
                continue;
            }

            int j = style == RopeStyle.Halves ? place % half : place / 2;
            bool isFirst = style == RopeStyle.Halves ? place < half : place % 2 == 0;
            int other = start + (style == RopeStyle.Halves ? (isFirst ? j + half : j) : (isFirst ? place + 1 : place - 1));
            double cosine = angles[j], sine = angles[half + j];
            double value = isFirst ? (heads[c] * cosine) - (heads[other] * sine) : (heads[c] * cosine) + (heads[other] * sine);
            expected.Set(row, c, value, Math.Abs(heads[c]) + Math.Abs(heads[other]));
        }
    }
}
