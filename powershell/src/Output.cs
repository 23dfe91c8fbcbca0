using System.Globalization;
using System.Management.Automation;
using System.Numerics;
using System.Text.Json;

using TokenKit.Native;

namespace TokenKit;

/// <summary>Shapes answers for PowerShell.</summary>
internal static class Output
{
    /// <summary>The type name of what a token endpoint granted; its default view masks the tokens.</summary>
    internal const string TokenResponseType = "TokenKit.TokenResponse";

    /// <summary>The type name of what a device authorization endpoint answered; its default view masks the device code.</summary>
    internal const string DeviceAuthorizationType = "TokenKit.DeviceAuthorization";

    /// <summary>The type name of an authorization server's metadata.</summary>
    internal const string MetadataType = "TokenKit.OidcMetadata";

    /// <summary>The type name of the claims about a user.</summary>
    internal const string UserInfoType = "TokenKit.UserInfo";

    /// <summary>The type name of a token that was read.</summary>
    internal const string JwtType = "TokenKit.JsonWebToken";

    /// <summary>The type name of a key.</summary>
    internal const string JwkType = "TokenKit.Jwk";

    // As deep as the native library reads.
    private static readonly JsonDocumentOptions Options = new() { MaxDepth = 128 };

    /// <summary>
    /// The server's JSON as object, its members in their order, with the local time of expiry when the server told
    /// the lifetime.
    /// </summary>
    internal static PSObject TokenResponse(TokenResponse response)
    {
        ObjectBuilder token = Build(response.body);
        if (response.expires_at_ms is { } milliseconds)
        {
            token.Set("expiry_datetime", DateTimeOffset.FromUnixTimeMilliseconds(milliseconds).LocalDateTime);
        }
        return Typed(token.Result, TokenResponseType);
    }

    /// <summary>The server's JSON as object, with a message for the user when the server wrote none.</summary>
    internal static PSObject DeviceAuthorization(DeviceAuthorizationResponse response)
    {
        ObjectBuilder reply = Build(response.body);
        if (reply["message"] is not string { Length: > 0 })
        {
            reply.Set("message", response.message);
        }
        return Typed(reply.Result, DeviceAuthorizationType);
    }

    /// <summary>A JSON object, its members in their order.</summary>
    internal static PSObject Object(string json) => Build(json).Result;

    /// <summary>A JSON object that has a view.</summary>
    internal static PSObject Object(string json, string type) => Typed(Object(json), type);

    /// <summary>Names the type of an object, or of a dictionary, for its views.</summary>
    internal static PSObject Typed(object value, string type)
    {
        PSObject result = PSObject.AsPSObject(value);
        result.TypeNames.Insert(0, type);
        return result;
    }

    /// <summary>A new object that has a view, its members in this order.</summary>
    internal static PSObject Make(string type, params IEnumerable<(string Name, object? Value)> members)
    {
        var result = new ObjectBuilder();
        foreach ((string name, object? value) in members)
        {
            result.Set(name, value);
        }
        return Typed(result.Result, type);
    }

    /// <summary>Any JSON value.</summary>
    internal static object? Value(string json)
    {
        using JsonDocument document = Parse(json);
        return Value(document.RootElement);
    }

    /// <summary>JSON to look into.</summary>
    internal static JsonDocument Parse(string json) => JsonDocument.Parse(json.TrimStart('\uFEFF'), Options);

    /// <summary>Any JSON value.</summary>
    internal static object? Value(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => Build(element).Result,
        JsonValueKind.Array => element.EnumerateArray().Select(Value).ToArray(),
        JsonValueKind.String => element.GetString(),
        JsonValueKind.Number => Number(element),
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => null,
    };

    private static object Number(JsonElement element)
    {
        if (element.TryGetInt64(out long integer))
        {
            return integer;
        }
        string text = element.GetRawText();
        return text.AsSpan().IndexOfAny(".eE") < 0 ? BigInteger.Parse(text, CultureInfo.InvariantCulture) : element.GetDouble();
    }

    private static ObjectBuilder Build(string json)
    {
        using JsonDocument document = Parse(json);
        return Build(document.RootElement);
    }

    private static ObjectBuilder Build(JsonElement element)
    {
        var result = new ObjectBuilder();
        foreach (JsonProperty member in element.EnumerateObject())
        {
            result.Set(member.Name, Value(member.Value));
        }
        return result;
    }

    /// <summary>Of several members with one name the last counts, as everywhere in JSON. PowerShell knows no empty name.</summary>
    internal static void Set(PSObject target, string name, object? value)
    {
        if (name.Length == 0)
        {
            return;
        }
        if (target.Properties[name] is { } property)
        {
            property.Value = value;
        }
        else
        {
            target.Properties.Add(new PSNoteProperty(name, value), preValidated: true);
        }
    }
}
