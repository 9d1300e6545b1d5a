using System.Globalization;
using System.Net.Http.Headers;
using System.Text;

namespace Scissorhands.Coordinator.Hooks;

/// <summary>Sends events by HTTP POST, signed as Standard Webhooks has it. Any answer but 2xx is a failure.</summary>
internal sealed class WebhookHook(string name, Uri url, WebhookSignature signature, TimeProvider time) : IPublicationHook
{
    private readonly HttpClient _http = HookHttp.Create();

    public string Name => name;

    public async Task DeliverAsync(HookEvent told, CancellationToken ct)
    {
        // Of each attempt its own: receivers refuse what was signed long ago, as it may be a replay.
        var seconds = time.GetUtcNow().ToUnixTimeSeconds();
        using var request = new HttpRequestMessage(HttpMethod.Post, url)
        {
            Content = new ByteArrayContent(Encoding.UTF8.GetBytes(told.Body)) { Headers = { ContentType = new MediaTypeHeaderValue(HookEvent.MediaType) } },
        };
        request.Headers.Add("webhook-id", told.Id);
        request.Headers.Add("webhook-timestamp", seconds.ToString(CultureInfo.InvariantCulture));
        request.Headers.Add("webhook-signature", signature.Sign(told.Id, seconds, told.Body));
        using var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, ct);
        if (!response.IsSuccessStatusCode)
        {
            throw new HookRefusedException(string.Create(CultureInfo.InvariantCulture, $"it answers {(int)response.StatusCode}"));
        }
    }

    public ValueTask DisposeAsync()
    {
        _http.Dispose();
        return ValueTask.CompletedTask;
    }
}
