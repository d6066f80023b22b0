using Portable.Vision.Images;

namespace Portable.Tests.Vision.Images;

public sealed class ExifOrientationTests
{
    // Pixels a b c / d e f.
    [TestCase(1, "abc/def")]
    [TestCase(2, "cba/fed")]
    [TestCase(3, "fed/cba")]
    [TestCase(4, "def/abc")]
    [TestCase(5, "ad/be/cf")]
    [TestCase(6, "da/eb/fc")]
    [TestCase(7, "fc/eb/da")]
    [TestCase(8, "cf/be/ad")]
    [TestCase(9, "abc/def")]
    public void Each_orientation_brings_the_image_upright(int orientation, string expected)
    {
        var image = new RgbImage(3, 2, [.. "abcdef".SelectMany(c => new[] { (byte)c, (byte)(c + 50), (byte)(c + 100) })]);
        RgbImage turned = ExifOrientation.Apply(image, orientation);
        string rows = string.Join('/', Enumerable.Range(0, turned.Height).Select(y => string.Concat(
            Enumerable.Range(0, turned.Width).Select(x => (char)turned.Pixels[(y * turned.Width + x) * 3]))));
        Assert.That(rows, Is.EqualTo(expected));
    }

    [Test]
    public void The_tag_is_read_in_both_byte_orders()
    {
        Assert.Multiple(() =>
        {
            Assert.That(ExifOrientation.Read([(byte)'I', (byte)'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0]), Is.EqualTo(6));
            Assert.That(ExifOrientation.Read([(byte)'M', (byte)'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, 8, 0, 0]), Is.EqualTo(8));
        });
    }

    [Test]
    public void Random_bytes_never_throw_and_never_give_an_orientation_outside_1_to_8()
    {
        var random = new Random(3);
        for (int trial = 0; trial < 5000; trial++)
        {
            byte[] tiff = new byte[random.Next(0, 64)];
            random.NextBytes(tiff);
            if (tiff.Length >= 8)
            {
                (trial % 2 == 0 ? "II*\0"u8 : "MM\0*"u8).CopyTo(tiff);
                tiff.AsSpan(4, 4).Clear();
                tiff[trial % 2 == 0 ? 4 : 7] = (byte)random.Next(70);
            }

            Assert.That(ExifOrientation.Read(tiff), Is.InRange(1, 8));
        }
    }
}
