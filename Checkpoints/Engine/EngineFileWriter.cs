using System.Security.Cryptography;
using System.Text.Json;

namespace Portable.Checkpoints;

/// <summary>
/// Writes an engine file beside its place and moves it there when it is whole, so that nobody ever opens half of one and a process that has the old
/// one mapped keeps it. Used by one thread; disposing of it before <see cref="Finish"/> leaves nothing behind.
/// </summary>
internal sealed class EngineFileWriter : IDisposable
{
    private readonly string _path;
    private readonly string _partial;
    private readonly FileStream _stream;
    private bool _isFinished;

    /// <summary>Begins a file.</summary>
    /// <param name="path">Where it is to be.</param>
    /// <exception cref="InvalidInputException">Something other than an engine file is there, or nothing can be written there.</exception>
    public EngineFileWriter(string path)
    {
        try
        {
            // What a link leads to is replaced, not the link.
            path = File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            // No file is there yet, or what is wrong is said when it is opened.
        }

        _path = path;
        if (Directory.Exists(path) || (File.Exists(path) && !EngineFormat.HasMagic(path)))
            throw new InvalidInputException(path, "it exists and is no engine file; name another output, or remove it first");
        // One name: what a killed build left is overwritten by the next, and two at once are told apart by the lock on it.
        _partial = path + ".partial";
        try
        {
            _stream = new FileStream(_partial, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException)
        {
            throw new InvalidInputException(path, $"no file can be written there: {e.Message.TrimEnd('.')}", e);
        }

        _stream.Write(new byte[EngineFormat.HeaderBytes]);
    }

    /// <summary>Bytes written so far.</summary>
    public long Bytes => _stream.Position;

    /// <summary>Writes contents at the next aligned place.</summary>
    public EngineSection Write(string name, Action<Stream> write)
    {
        Align();
        long offset = _stream.Position;
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        write(new HashingStream(_stream, hash));
        return new EngineSection(name, offset, _stream.Position - offset, Convert.ToHexString(hash.GetHashAndReset()));
    }

    /// <summary>Writes the index and puts the file in its place.</summary>
    public void Finish(EngineIndex index)
    {
        Align();
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(index, EngineIndexJson.Default.EngineIndex);
        long offset = _stream.Position;
        _stream.Write(json);
        long bytes = _stream.Position;
        _stream.Position = 0;
        _stream.Write(EngineFormat.Header(bytes, offset, json));
        _stream.Flush(flushToDisk: true);
        _stream.Dispose();
        File.Move(_partial, _path, overwrite: true);
        _isFinished = true;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        try
        {
            _stream.Dispose();
        }
        catch (IOException) when (!_isFinished)
        {
            // A full disk takes no last bytes either; what made the build fail is told already.
        }

        if (!_isFinished)
            File.Delete(_partial);
    }

    private void Align()
    {
        int past = (int)(_stream.Position % EngineFormat.Alignment);
        if (past != 0)
            _stream.Write(new byte[EngineFormat.Alignment - past]);
    }

    private sealed class HashingStream(Stream destination, IncrementalHash hash) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            hash.AppendData(buffer);
            destination.Write(buffer);
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
