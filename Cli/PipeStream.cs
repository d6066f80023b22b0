using Microsoft.Win32.SafeHandles;

namespace Portable.Cli;

/// <summary>The reader of the output has gone away; there is nobody left to write for.</summary>
internal sealed class OutputClosedException(IOException inner) : IOException("The output was closed by its reader.", inner);

/// <summary>
/// Standard output to a pipe or file. The runtime's own stream drops what a closed pipe refuses, so an answer that
/// nobody reads would be produced to its end; this one says so.
/// </summary>
internal sealed class PipeStream : Stream
{
    private readonly Stream _inner;
    private readonly bool _isPipe;

    public PipeStream() => _inner = Open(out _isPipe);

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        try
        {
            _inner.Write(buffer);
        }
        catch (IOException closed) when (_isPipe)
        {
            throw new OutputClosedException(closed);
        }
        catch (UnauthorizedAccessException refused)
        {
            // The number of a stream that was closed at the start is given to the next file that is opened, to be read.
            throw new IOException("Standard output is closed, or not open for writing.", refused);
        }
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    private static Stream Open(out bool isPipe)
    {
        isPipe = false;
        if (OperatingSystem.IsWindows())
            return Console.OpenStandardOutput();
        // A FileStream writes regular files at positions of its own, which would overwrite what others append.
        var pipe = new FileStream(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write, bufferSize: 0);
        isPipe = !pipe.CanSeek;
        return isPipe ? pipe : Console.OpenStandardOutput();
    }
}
