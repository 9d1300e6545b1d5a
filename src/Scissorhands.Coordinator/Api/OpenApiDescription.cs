using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.OpenApi;
using Scissorhands.Deletion.Requests;
using Scissorhands.Grains.Store;

namespace Scissorhands.Coordinator.Api;

/// <summary>The interface's description (OpenAPI), served at <c>/openapi/v1.json</c> to everybody.</summary>
internal static class OpenApiDescription
{
    private const string Document = "v1";
    private const string Scheme = "bearer";

    // Unknown keys in these are refused.
    private static readonly HashSet<string> Bodies = [nameof(DeletionSubmission), nameof(ModelRegistration), nameof(RollBack), nameof(RunSubmission)];

    private static readonly Dictionary<string, string> Parameters = new(StringComparer.Ordinal)
    {
        ["id"] = "Its id, as the submission was answered.",
        ["name"] = "The model's name: letters, digits, '-', '_', '.'.",
        ["number"] = "The batch's number, from 1.",
        ["pool"] = "The pool.",
        ["model"] = "Only requests to this model.",
        ["limit"] = "At most so many, 1 to 500. Default: 100.",
        ["after"] = "Only what follows this place; 0 for all.",
    };

    /// <summary>Adds the description.</summary>
    public static IServiceCollection AddDescription(this IServiceCollection services)
    {
        // As bodies are read and answers written: enumerations by name, numbers as numbers.
        services.ConfigureHttpJsonOptions(static json =>
        {
            foreach (var converter in DeletionJson.Options.Converters)
            {
                json.SerializerOptions.Converters.Add(converter);
            }

            json.SerializerOptions.NumberHandling = JsonNumberHandling.Strict;
        });
        return services.AddOpenApi(Document, static openApi =>
        {
            openApi.OpenApiVersion = OpenApiSpecVersion.OpenApi3_0;
            openApi.CreateSchemaReferenceId = static type => type.Type == typeof(JsonObject) ? null : OpenApiOptions.CreateDefaultSchemaReferenceId(type);
            openApi.AddDocumentTransformer(static (document, _, _) => Describe(document));
            openApi.AddOperationTransformer(static (operation, context, _) => Describe(operation, context));
        });
    }

    /// <summary>Serves the description.</summary>
    public static IEndpointRouteBuilder MapDescription(this IEndpointRouteBuilder routes)
    {
        routes.MapOpenApi();
        return routes;
    }

    /// <summary>Says what an endpoint is for, and which errors it answers with.</summary>
    /// <param name="endpoint">The endpoint.</param>
    /// <param name="name">The operation's name, for generated clients.</param>
    /// <param name="summary">What it is for.</param>
    /// <param name="errors">Status codes beside those that any call may be answered with.</param>
    public static RouteHandlerBuilder Described(this RouteHandlerBuilder endpoint, string name, string summary, params int[] errors)
    {
        foreach (var status in errors.Concat([StatusCodes.Status401Unauthorized, StatusCodes.Status403Forbidden, StatusCodes.Status503ServiceUnavailable]).Distinct().Order())
        {
            endpoint.Produces<ErrorAnswer>(status);
        }

        return endpoint.WithName(name).WithSummary(summary);
    }

    private static Task Describe(OpenApiDocument document)
    {
        document.Info = new OpenApiInfo
        {
            Title = "Scissorhands",
            Version = Document,
            Description = "Runs, models, deletion requests and the audit of a coordinator. Calls that change something have the content type application/json, also without a body. The same call again has no other effect, so that it may be repeated where its answer was lost.",
        };

        // The address is the reader's own.
        document.Servers = [];
        document.Components ??= new OpenApiComponents();
        document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>(StringComparer.Ordinal)
        {
            [Scheme] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer", Description = "A caller's key, or a token of the issuer that the coordinator was given." },
        };
        foreach (var (name, schema) in document.Components.Schemas?.ToArray() ?? [])
        {
            if (schema is OpenApiSchema own)
            {
                Simplify(own);
                own.AdditionalPropertiesAllowed = !Bodies.Contains(name);
            }
        }

        return Task.CompletedTask;
    }

    // In the forms that generators of clients know: an enumeration has a type, and "this or null" is a nullable this.
    private static void Simplify(OpenApiSchema schema)
    {
        if (schema.Enum is { Count: > 0 } values)
        {
            schema.Type = JsonSchemaType.String;
            schema.Enum = [.. values.Where(static value => value is not null && !value.IsJsonNullSentinel())];
        }

        foreach (var (name, property) in schema.Properties?.ToArray() ?? [])
        {
            if (property.OneOf?.Where(static one => one is OpenApiSchemaReference).ToArray() is [var reference] && property.OneOf.Count == 2)
            {
                schema.Properties![name] = new OpenApiSchema { AllOf = [reference], Type = JsonSchemaType.Null, Description = property.Description };
            }
        }
    }

    private static Task Describe(OpenApiOperation operation, OpenApiOperationTransformerContext context)
    {
        if (context.Description.ActionDescriptor.EndpointMetadata.OfType<IAuthorizeData>().LastOrDefault()?.Policy is { } scope)
        {
            operation.Description = $"Needs the scope {scope}.";
            operation.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(Scheme, context.Document)] = [] }];
        }

        foreach (var parameter in operation.Parameters ?? [])
        {
            parameter.Description = parameter.Name is { } name ? Parameters.GetValueOrDefault(name) : null;
        }

        return Task.CompletedTask;
    }
}
