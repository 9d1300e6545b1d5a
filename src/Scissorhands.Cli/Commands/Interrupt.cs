using System.Runtime.InteropServices;

namespace Scissorhands.Cli.Commands;

/// <summary>
/// Ctrl-C and SIGTERM: the first asks for a stop at the next durable point, the second stops at once.
/// </summary>
internal sealed class Interrupt : IDisposable
{
    private readonly CancellationTokenSource _requested = new();
    private readonly CancellationTokenSource _now = new();
    private readonly PosixSignalRegistration _interrupt;
    private readonly PosixSignalRegistration _terminate;

    public Interrupt()
    {
        _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Handle);
        _terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Handle);
    }

    /// <summary>Called at the first signal.</summary>
    public Action? Announce { get; set; }

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Requested => _requested.Token;

    /// <summary>Cancelled by the second signal; by the first while nothing durable is under way.</summary>
    public CancellationToken Now => _now.Token;

    public void Dispose()
    {
        _interrupt.Dispose();
        _terminate.Dispose();
        _requested.Dispose();
        _now.Dispose();
    }

    private void Handle(PosixSignalContext context)
    {
        context.Cancel = true;
        if (_requested.IsCancellationRequested || Announce is null)
        {
            _now.Cancel();
        }

        if (!_requested.IsCancellationRequested)
        {
            Announce?.Invoke();
            _requested.Cancel();
        }
    }
}
