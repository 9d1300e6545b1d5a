namespace Scissorhands.Coordinator.Hooks;

/// <summary>HTTP as hooks use it: no redirects, which would take what is sent elsewhere, no cookies, and a limit of time and size.</summary>
internal static class HookHttp
{
    private const int LargestAnswer = 1 << 20;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan ConnectionLifetime = TimeSpan.FromMinutes(5);

    /// <summary>Makes a client.</summary>
    /// <returns>The client.</returns>
    public static HttpClient Create() => new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, PooledConnectionLifetime = ConnectionLifetime })
    {
        Timeout = Patience,
        MaxResponseContentBufferSize = LargestAnswer,
    };
}
