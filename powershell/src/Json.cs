using System.Buffers;
using System.Collections;
using System.Globalization;
using System.Management.Automation;
using System.Net;
using System.Numerics;
using System.Security;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace TokenKit;

/// <summary>Writes values of PowerShell as JSON, whole: nothing is cut off at some depth.</summary>
internal static class Json
{
    /// <summary>As deep as the native library reads.</summary>
    private const int MaxDepth = 120;

    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, MaxDepth = MaxDepth + 1 };

    /// <summary>The JSON text of <paramref name="value"/>.</summary>
    /// <exception cref="FailureException">It is nested too deeply, or holds something that has no JSON form.</exception>
    internal static string Write(object? value)
    {
        var text = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(text, Options))
        {
            Write(writer, value, 0);
        }
        return Encoding.UTF8.GetString(text.WrittenSpan);
    }

    private static void Write(Utf8JsonWriter writer, object? value, int depth)
    {
        if (depth > MaxDepth)
        {
            throw Failures.Invalid($"An object is nested more than {MaxDepth} levels deep, or holds itself.");
        }
        object? plain = Secrets.Unwrap(value);
        switch (plain)
        {
            case null or DBNull:
                writer.WriteNullValue();
                break;
            case bool flag:
                writer.WriteBooleanValue(flag);
                break;
            case string text:
                writer.WriteStringValue(text);
                break;
            case DateTime or DateTimeOffset:
                writer.WriteStringValue(((IFormattable)plain).ToString("o", CultureInfo.InvariantCulture));
                break;
            case BigInteger number:
                writer.WriteRawValue(number.ToString(CultureInfo.InvariantCulture));
                break;
            case double or float:
                double real = Convert.ToDouble(plain, CultureInfo.InvariantCulture);
                writer.WriteNumberValue(double.IsFinite(real) ? real : throw Failures.Invalid($"JSON has no number {real}."));
                break;
            case Uri address:
                writer.WriteStringValue(address.OriginalString);
                break;
            case Enum or char or Guid or TimeSpan or Version or IPAddress:
                writer.WriteStringValue(string.Format(CultureInfo.InvariantCulture, "{0}", plain));
                break;
            case byte or sbyte or short or ushort or int or uint or long or ulong or decimal:
                writer.WriteNumberValue(Convert.ToDecimal(plain, CultureInfo.InvariantCulture));
                break;
            case SecureString or PSCredential or ScriptBlock or Delegate:
                throw Failures.Invalid($"A {plain.GetType()} has no JSON form.");
            case IDictionary dictionary:
                writer.WriteStartObject();
                foreach (DictionaryEntry entry in dictionary)
                {
                    writer.WritePropertyName(string.Format(CultureInfo.InvariantCulture, "{0}", entry.Key));
                    Write(writer, entry.Value, depth + 1);
                }
                writer.WriteEndObject();
                break;
            case IEnumerable items:
                writer.WriteStartArray();
                foreach (object? item in items)
                {
                    Write(writer, item, depth + 1);
                }
                writer.WriteEndArray();
                break;
            default:
                writer.WriteStartObject();
                foreach (PSPropertyInfo property in PSObject.AsPSObject(value!).Properties.Where(property => property.IsGettable))
                {
                    writer.WritePropertyName(property.Name);
                    Write(writer, Value(property), depth + 1);
                }
                writer.WriteEndObject();
                break;
        }
    }

    private static object? Value(PSPropertyInfo property)
    {
        try
        {
            return property.Value;
        }
        catch (GetValueException e)
        {
            throw Failures.Invalid($"The property {property.Name} of an object cannot be read: {e.Message}", cause: e);
        }
    }
}
