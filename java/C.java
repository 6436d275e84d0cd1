import java.net.*;import java.net.http.*;import java.io.*;
public class C{public static void main(String[] a)throws Exception{
 String u="http://127.0.0.1:"+a[0]+"/v1/my-app/presences";byte[] b="{\"userIds\":[\"alice\"]}".getBytes();
 HttpClient c=HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
 for(boolean exp:new boolean[]{false,true})for(int i=0;i<2;i++){
  var r=HttpRequest.newBuilder(URI.create(u)).header("Authorization","Bearer use-32-random-characters-or-more").header("Content-Type","application/json").expectContinue(exp).POST(HttpRequest.BodyPublishers.ofInputStream(()->new ByteArrayInputStream(b))).timeout(java.time.Duration.ofSeconds(8)).build();
  try{var s=c.send(r,HttpResponse.BodyHandlers.ofString());System.out.println("java11 "+exp+" "+s.statusCode()+" "+s.body());}catch(Exception e){System.out.println("java11 "+exp+" "+e);}
 }
 HttpClient c2=HttpClient.newHttpClient(); // h2c upgrade
 var r2=HttpRequest.newBuilder(URI.create(u)).header("Authorization","Bearer use-32-random-characters-or-more").header("Content-Type","application/json").POST(HttpRequest.BodyPublishers.ofInputStream(()->new ByteArrayInputStream(b))).timeout(java.time.Duration.ofSeconds(8)).build();
 try{var s=c2.send(r2,HttpResponse.BodyHandlers.ofString());System.out.println("java h2c "+s.statusCode()+" "+s.body());}catch(Exception e){System.out.println("java h2c "+e);}
 for(String exp:new String[]{null,"100-Continue"}){HttpURLConnection h=(HttpURLConnection)new URL(u).openConnection();h.setRequestMethod("POST");h.setDoOutput(true);h.setChunkedStreamingMode(0);h.setReadTimeout(8000);h.setRequestProperty("Authorization","Bearer use-32-random-characters-or-more");h.setRequestProperty("Content-Type","application/json");if(exp!=null)h.setRequestProperty("Expect",exp);
 try{h.getOutputStream().write(b);h.getOutputStream().close();System.out.println("urlconn "+exp+" "+h.getResponseCode()+" "+new String(h.getInputStream().readAllBytes()));}catch(Exception e){System.out.println("urlconn "+exp+" "+e);}}
}}
