using Portable.Vision.Images;

namespace Portable.Tests.Vision.Images;

public sealed class PngFilterTests
{
    [Test]
    public void Undoing_every_filter_restores_random_rows_of_every_pixel_size_and_length()
    {
        var random = new Random(9);
        foreach (int pixel in new[] { 1, 2, 3, 4, 6, 8 })
        {
            for (int pixels = 1; pixels < 40; pixels++)
            {
                byte[] plain = new byte[pixels * pixel], above = new byte[plain.Length];
                random.NextBytes(plain);
                random.NextBytes(above);
                for (byte filter = 0; filter < 5; filter++)
                {
                    byte[] row = Apply(filter, plain, above, pixel);
                    Assert.That(PngFilter.Undo(filter, row, above, pixel));
                    Assert.That(row, Is.EqualTo(plain), $"filter {filter}, {pixels} pixels of {pixel} bytes");
                }
            }
        }
    }

    [Test]
    public void A_filter_that_does_not_exist_is_reported() => Assert.That(PngFilter.Undo(5, new byte[3], new byte[3], 3), Is.False);

    // The definition of the standard, from the side of the encoder.
    private static byte[] Apply(byte filter, byte[] plain, byte[] above, int pixel)
    {
        byte[] row = new byte[plain.Length];
        for (int i = 0; i < row.Length; i++)
        {
            int a = i < pixel ? 0 : plain[i - pixel], b = above[i], c = i < pixel ? 0 : above[i - pixel];
            int p = a + b - c, pa = Math.Abs(p - a), pb = Math.Abs(p - b), pc = Math.Abs(p - c);
            int predicted = filter switch
            {
                1 => a,
                2 => b,
                3 => (a + b) / 2,
                4 => pa <= pb && pa <= pc ? a : pb <= pc ? b : c,
                _ => 0,
            };
            row[i] = (byte)(plain[i] - predicted);
        }

        return row;
    }
}
