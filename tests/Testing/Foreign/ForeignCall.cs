namespace Portable.Testing.Foreign;

/// <summary>The calls that the foreign device counts and can fail.</summary>
public enum ForeignCall
{
    /// <summary><see cref="IBackend.Open"/>.</summary>
    Open,

    /// <summary><see cref="Device.Allocate"/>.</summary>
    Allocate,

    /// <summary><see cref="Device.AllocateHost"/>.</summary>
    AllocateHost,

    /// <summary><see cref="Device.LoadWeight"/>.</summary>
    LoadWeight,

    /// <summary><see cref="Device.CreateKvCache"/>.</summary>
    CreateKvCache,

    /// <summary><see cref="Device.CreateStream"/>.</summary>
    CreateStream,

    /// <summary>An operator handed to a stream, captured or not.</summary>
    Enqueue,

    /// <summary><see cref="CommandStream.Upload"/>.</summary>
    Upload,

    /// <summary><see cref="CommandStream.Download"/>.</summary>
    Download,

    /// <summary><see cref="CommandStream.BeginCapture"/>.</summary>
    BeginCapture,

    /// <summary><see cref="CommandStream.EndCapture"/>.</summary>
    EndCapture,

    /// <summary><see cref="CommandStream.Replay"/>.</summary>
    Replay,

    /// <summary><see cref="CommandStream.Synchronize"/>.</summary>
    Synchronize,

    /// <summary>An operator or copy that runs, inside <see cref="CommandStream.Synchronize"/>.</summary>
    Execute,
}
