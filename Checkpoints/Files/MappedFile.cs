using System.IO.MemoryMappedFiles;

namespace Portable.Checkpoints;

/// <summary>
/// A model file mapped read-only into memory. Thread-safe. The file must not be shortened while it is mapped: the
/// operating system answers a read of a page that is gone with a fault that no program can handle.
/// </summary>
internal sealed unsafe class MappedFile : IDisposable
{
    private readonly MemoryMappedFile? _file;
    private readonly MemoryMappedViewAccessor? _view;

    private MappedFile(string path, long length, MemoryMappedFile? file, MemoryMappedViewAccessor? view)
    {
        Path = path;
        Length = length;
        _file = file;
        _view = view;
    }

    /// <summary>The file, as the caller named it.</summary>
    public string Path { get; }

    /// <summary>Bytes of the file when it was opened.</summary>
    public long Length { get; }

    /// <summary>Maps a file; every failure of the file system becomes an <see cref="InvalidModelException"/>.</summary>
    public static MappedFile Open(string path)
    {
        FileStream? stream = null;
        MemoryMappedFile? file = null;
        try
        {
            // The system maps no empty files; to the readers one is a file that ends before its first byte.
            if (FileLength.Of(path) == 0)
                return new MappedFile(path, 0, null, null);
            stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            long length = stream.CanSeek ? stream.Length : throw new IOException("not a regular file");
            file = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
            return new MappedFile(path, length, file, file.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            file?.Dispose();
            stream?.Dispose();
            throw new InvalidModelException(path, null, e switch
            {
                FileNotFoundException when Directory.Exists(path) => "it is a folder, expected a file",
                FileNotFoundException or DirectoryNotFoundException => "the file does not exist; check the path, or download what is missing",
                UnauthorizedAccessException => "the file cannot be opened: access is denied or it is a folder",
                _ => $"the file cannot be opened: {e.Message.TrimEnd('.')}",
            }, e);
        }
    }

    /// <summary>Keeps the mapping alive until the lease is disposed of, even when the file is disposed of meanwhile.</summary>
    /// <exception cref="ObjectDisposedException">The file was disposed of.</exception>
    public Lease Acquire()
    {
        if (_view is null)
            return default;
        byte* pointer = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
        return new Lease(_view, pointer + _view.PointerOffset);
    }

    /// <summary>As <see cref="Acquire"/>, for an owner that lives longer than a method.</summary>
    public IDisposable Keep() => new Keeper(_view);

    /// <inheritdoc/>
    public void Dispose()
    {
        _view?.Dispose();
        _file?.Dispose();
    }

    private sealed class Keeper : IDisposable
    {
        private MemoryMappedViewAccessor? _view;

        public Keeper(MemoryMappedViewAccessor? view)
        {
            byte* pointer = null;
            view?.SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
            _view = view;
        }

        public void Dispose() => Interlocked.Exchange(ref _view, null)?.SafeMemoryMappedViewHandle.ReleasePointer();
    }

    /// <summary>The right to read the bytes of the file.</summary>
    public readonly ref struct Lease
    {
        private readonly MemoryMappedViewAccessor? _view;

        internal Lease(MemoryMappedViewAccessor view, byte* pointer)
        {
            _view = view;
            Pointer = pointer;
        }

        /// <summary>The first byte of the file; null for an empty file.</summary>
        public byte* Pointer { get; }

        /// <summary>Gives the right back.</summary>
        public void Dispose() => _view?.SafeMemoryMappedViewHandle.ReleasePointer();
    }
}
