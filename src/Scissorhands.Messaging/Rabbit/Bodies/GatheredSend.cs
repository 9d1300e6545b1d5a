using System.ComponentModel;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Scissorhands.Messaging.Rabbit.Bodies;

/// <summary>
/// Sends pieces of memory that lie apart with one call and without copying them first. The runtime's own call takes managed
/// arrays only, and tensors are none.
/// </summary>
internal sealed unsafe partial class GatheredSend
{
    private const int DontWait = 0x40;
    private const int NoSignal = 0x4000;
    private const int Again = 11;
    private const int Interrupted = 4;
    private readonly Piece[] _pieces = GC.AllocateUninitializedArray<Piece>(MaxPieces, pinned: true);
    private int _count;

    /// <summary>Most pieces of one call.</summary>
    internal const int MaxPieces = 64;

    /// <summary>Whether this system has the call.</summary>
    internal static bool IsSupported { get; } = OperatingSystem.IsLinux() && Environment.Is64BitProcess;

    /// <summary>Whether another piece has room.</summary>
    internal bool IsFull => _count == MaxPieces;

    /// <summary>Begins anew.</summary>
    internal void Clear() => _count = 0;

    /// <summary>Adds a piece, which stays where it is until <see cref="Send"/> has returned.</summary>
    internal void Add(byte* start, int bytes) => _pieces[_count++] = new Piece { Start = start, Bytes = (nuint)bytes };

    /// <summary>Sends as much as the socket takes without waiting.</summary>
    /// <returns>Bytes sent; 0 where it takes nothing now.</returns>
    /// <exception cref="IOException">The connection is lost.</exception>
    internal int Send(SafeSocketHandle socket)
    {
        fixed (Piece* pieces = _pieces)
        {
            var message = new Message { Pieces = pieces, Count = (nuint)_count };
            while (true)
            {
                var sent = SendMessage(socket, &message, DontWait | NoSignal);
                if (sent >= 0)
                {
                    return (int)sent;
                }

                switch (Marshal.GetLastPInvokeError())
                {
                    case Again:
                        return 0;
                    case Interrupted:
                        continue;
                    case var error:
                        throw new IOException("Sending to the broker failed.", new Win32Exception(error));
                }
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "sendmsg", SetLastError = true)]
    private static partial nint SendMessage(SafeSocketHandle socket, Message* message, int flags);

    private struct Piece
    {
        public byte* Start;
        public nuint Bytes;
    }

    private struct Message
    {
        public void* Name;
        public uint NameBytes;
        public Piece* Pieces;
        public nuint Count;
        public void* Control;
        public nuint ControlBytes;
        public int Flags;
    }
}
