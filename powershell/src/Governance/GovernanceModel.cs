using System.Collections.Frozen;
using System.Management.Automation;
using System.Text.Json;

namespace TokenKit;

/// <summary>The objects of the Cloud Governance API: their names, which views go by, and their members.</summary>
internal static class GovernanceModel
{
    internal const string ApiCredential = "TokenKit.ApiCredential";
    internal const string DelegatedAccessToken = "TokenKit.DelegatedAccessToken";
    internal const string DelegatedAccessTokenApiResult = "TokenKit.DelegatedAccessTokenApiResult";

    private static readonly FrozenDictionary<string, string[]> Members = new Dictionary<string, string[]>
    {
        [ApiCredential] = ["ClientSecret", "UserPrincipalName"],
        [DelegatedAccessToken] = ["AccessToken", "RefreshToken", "Duration"],
        [DelegatedAccessTokenApiResult] = ["Value", "IsSuccess", "ErrorMsg"],
    }.ToFrozenDictionary();

    /// <summary>An object of the kind <paramref name="model"/> with these values, in the order of its members.</summary>
    internal static PSObject Make(string model, params object?[] values) => Output.Make(model, Members[model].Zip(values));

    /// <summary>Reads an object from JSON; members that are not there are <c>null</c>.</summary>
    /// <exception cref="FailureException">It is no JSON object, or has other members.</exception>
    internal static PSObject Read(string model, string json)
    {
        PSObject source;
        try
        {
            source = Output.Object(json);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The reason would quote the text, which may be secret.
            throw Failures.Invalid("The text is no JSON object.", "not_json_object");
        }
        return Take(model, source);
    }

    /// <summary>Names the parts of what the service answered, for the views.</summary>
    /// <param name="answer">The answer.</param>
    /// <param name="message">Its message, without secrets of the request that it may repeat.</param>
    internal static PSObject Tag(PSObject answer, string? message)
    {
        Output.Typed(answer, DelegatedAccessTokenApiResult);
        if (message is not null)
        {
            Output.Set(answer, "ErrorMsg", message);
        }
        if (answer.Properties["Value"]?.Value is PSObject value)
        {
            Output.Typed(value, DelegatedAccessToken);
        }
        return answer;
    }

    private static PSObject Take(string model, PSObject source)
    {
        string[] members = Members[model];
        if (source.Properties.FirstOrDefault(property => !members.Contains(property.Name)) is { } unknown)
        {
            throw Failures.Invalid($"'{unknown.Name}' is no member of {model.Split('.')[1]}, which has {string.Join(", ", members)}.", "unknown_member");
        }
        return Make(model, members.Select(name => Member(model, name, source.Properties[name]?.Value)).ToArray());
    }

    private static object? Member(string model, string name, object? value) =>
        model == DelegatedAccessTokenApiResult && name == "Value" && value is PSObject token ? Take(DelegatedAccessToken, token) : value;
}
