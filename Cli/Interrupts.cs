using System.Runtime.InteropServices;

namespace Portable.Cli;

/// <summary>
/// Ctrl-C and requests to end. The first Ctrl-C ends the running answer where there is one, else the command; a second
/// one, if the first has not been heeded yet, ends the process at once.
/// </summary>
internal sealed class Interrupts : IDisposable
{
    private readonly CancellationTokenSource _command = new();
    private readonly List<PosixSignalRegistration> _signals = [];
    private readonly Lock _lock = new();
    private CancellationTokenSource? _answer;

    /// <summary>Cancelled when the command is to end.</summary>
    public CancellationToken Command => _command.Token;

    public void ListenToProcess()
    {
        _signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGINT, context => context.Cancel = Interrupt()));
        _signals.Add(PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => context.Cancel = End()));
    }

    /// <summary>Begins an answer that Ctrl-C ends without ending the command; dispose of it when the answer is done.</summary>
    public CancellationTokenSource BeginAnswer()
    {
        lock (_lock)
            return _answer = CancellationTokenSource.CreateLinkedTokenSource(_command.Token);
    }

    /// <summary>The answer begun is over.</summary>
    public void EndAnswer()
    {
        lock (_lock)
        {
            _answer?.Dispose();
            _answer = null;
        }
    }

    /// <summary>What Ctrl-C does; false leaves it to the system, which ends the process.</summary>
    public bool Interrupt()
    {
        lock (_lock)
        {
            CancellationTokenSource current = _answer ?? _command;
            if (current.IsCancellationRequested)
                return false;
            current.Cancel();
            return true;
        }
    }

    public void Dispose()
    {
        foreach (PosixSignalRegistration signal in _signals)
            signal.Dispose();
        EndAnswer();
        _command.Dispose();
    }

    private bool End()
    {
        lock (_lock)
        {
            if (_command.IsCancellationRequested)
                return false;
            _command.Cancel();
            return true;
        }
    }
}
